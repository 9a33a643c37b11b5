// One device: its values, their past at the width of the screen, what follows from it, and the file of it.
import { get } from "../core/api.js";
import { html, useEffect, useRef, useState } from "../core/html.js";
import { complaint, currentLanguage, named, t, word } from "../core/i18n.js";
import { useStore } from "../core/store.js";
import { duration, now } from "../core/time.js";
import { Figures } from "./figures.js";
import { Drawer } from "./help.js";
import { Outputs } from "./outputs.js";
import { store } from "./state.js";
import { TELLING, scaled, unitName, valueText } from "./values.js";

const DAY_MS = 86400000;
const MINUTE_MS = 60000;
const SPANS = { hour: DAY_MS / 24, day: DAY_MS, week: 7 * DAY_MS, month: 31 * DAY_MS, year: 366 * DAY_MS };
const FORMATS = ["csv", "parquet"];

export function Device({ id }) {
  const device = useStore(store, (state) => state.devices).find((one) => one.id === id);
  const metrics = Object.entries(device?.latest ?? {}).filter(([, { value }]) => typeof value !== "string").map(([metric]) => metric);
  const [metric, setMetric] = useState(null);
  const [span, setSpan] = useState("day");
  if (!device) return null;
  const shown = metric ?? metrics.find((one) => one === TELLING[device.type]) ?? metrics[0];
  return html`<${Drawer} title=${`${named(device.place?.name)} · ${named(device.name) || device.code}`} test="device">
    ${!device.place && html`<p class="fault" role="status" data-testid="unplaced">${t("ui.device.unplaced")} <a class="link" href=${`/install#${device.gateway.group}/${device.gateway.code}`}>${t("ui.menu.install")}</a></p>`}
    <div class="picks" role="group" aria-label=${t("ui.past.metric")}>
      ${metrics.map((one) => html`<button key=${one} class="pick" aria-pressed=${one === shown} data-metric=${one} onClick=${() => setMetric(one)}>
        ${word("cloud.metric", one)} <b>${valueText(one, device.latest[one].value, device.latest[one].unit)}</b></button>`)}
    </div>
    <div class="picks" role="group" aria-label=${t("ui.past.span")}>
      ${Object.keys(SPANS).map((one) => html`<button key=${one} class="pick" aria-pressed=${one === span} data-span=${one} onClick=${() => setSpan(one)}>${t(`ui.past.${one}`)}</button>`)}
    </div>
    ${shown ? html`<${Past} key=${`${id} ${shown} ${span}`} device=${device} metric=${shown} span=${span} />` : html`<p class="dim">${t("ui.past.nothing")}</p>`}
    <${Outputs} key=${`outputs-${id}`} device=${device} />
    <${Figures} key=${id} device=${device} />
  <//>`;
}

/** From where the picture shows: from the first value, when it stands in the span's last quarter and would be a dot at its edge. */
function shownFrom(ms, from, to) {
  const first = ms[0];
  if (first - from < 0.75 * (to - from)) return from;
  return Math.max(from, Math.min(first - 0.05 * (to - first), to - MINUTE_MS));
}

function Past({ device, metric, span }) {
  const box = useRef(null);
  const [told, setTold] = useState(t("ui.loading"));
  const to = useRef(now()).current;
  const from = to - SPANS[span];
  const query = (more) => new URLSearchParams({ metric, from: new Date(from).toISOString(), to: new Date(to).toISOString(), ...more });
  useEffect(() => {
    let chart = null;
    let gone = false;
    (async () => {
      const width = Math.max(200, Math.round(box.current.clientWidth));
      const [{ drawChart }, history] = await Promise.all([import("./chart.js"), get(`/devices/${device.id}/history?${query({ width })}`)]);
      if (gone) return;
      setTold(history.ms.length ? t(history.step === "raw" ? "ui.past.every" : "ui.past.means", { span: duration(history.step_ms) }) : t("ui.past.nothing"));
      if (history.ms.length) {
        const [value, low, high] = [history.value, history.low, history.high].map((one) => scaled(one, history.unit));
        const isState = history.kind === "state";
        const begin = shownFrom(history.ms, from, to);
        if (begin > from) setTold((said) => `${said} ${t("ui.past.since")}`);
        chart = drawChart(box.current, { ms: history.ms, value, low, high, unit: unitName(history.unit), metric, from: begin, to, isState, height: 200 });
      }
    })().catch((error) => gone || setTold(complaint(error)));
    return () => {
      gone = true;
      chart?.destroy();
    };
  }, [currentLanguage(), document.documentElement.dataset.theme]);
  return html`<figure class="chart past" data-testid="past"><div ref=${box}></div>
    <figcaption>${told}
      ${FORMATS.map((form) => html` <a key=${form} class="link" download href=${`/api/v1/export/readings.${form}?${query({ device: device.id })}`}>${form.toUpperCase()}</a>`)}
    </figcaption></figure>`;
}
