// Why an alarm fired: the measured value against its limit, and the hour before.
import { get } from "../core/api.js";
import { html, useEffect, useRef, useState } from "../core/html.js";
import { currentLanguage, named, t, word } from "../core/i18n.js";
import { useStore } from "../core/store.js";
import { clockTime, now } from "../core/time.js";
import { store } from "./state.js";
import { unitName, valueText } from "./values.js";

const HOUR_MS = 3600000;
const AFTER_MS = 600000;
const WIDTH = 360;

export function Why({ alarm }) {
  const { reason, device } = alarm;
  const known = useStore(store, (state) => state.devices).find((one) => one.id === device.id);
  const latest = reason.metric ? known?.latest?.[reason.metric] : null;
  const limit = reason.above ?? reason.below;
  const unit = latest?.unit ?? "";
  return html`<section class="block why"><h3>${t("ui.why.title")}</h3>
    <p class="sentence">${sentenceOf(reason, limit, unit)}</p>
    <dl class="facts">
      ${reason.metric && html`<div class="loud"><dt>${t("ui.why.then")}</dt><dd>${valueText(reason.metric, reason.value, unit)}</dd></div>`}
      ${limit !== undefined && limit !== null && html`<div><dt>${t("ui.why.limit")}</dt><dd>${valueText(reason.metric, limit, unit)}</dd></div>`}
      ${latest && html`<div><dt>${t("ui.why.now")}</dt><dd>${valueText(reason.metric, latest.value, unit)}</dd></div>`}
      <div><dt>${t("ui.why.device")}</dt><dd>${named(device.name)} <small>${device.code}</small></dd></div>
      <div><dt>${t("ui.why.since")}</dt><dd>${clockTime(alarm.raised_at)}${alarm.repeats > 0 ? ` · ${t("ui.why.repeats", { n: alarm.repeats })}` : ""}</dd></div>
      ${!alarm.active && html`<div><dt>${t("ui.queue.cleared")}</dt><dd>${clockTime(alarm.cleared_at)}</dd></div>`}
      ${known && "battery" in (known.latest ?? {}) && html`<div><dt>${word("cloud.metric", "battery")}</dt><dd>${valueText("battery", known.latest.battery.value, "%")}</dd></div>`}
    </dl>
    ${reason.metric ? html`<${HourBefore} key=${alarm.id} alarm=${alarm} limit=${limit} />` : html`<${Events} key=${alarm.id} device=${device} />`}
  </section>`;
}

function sentenceOf(reason, limit, unit) {
  if (reason.event) return t("cloud.why.event", { event: word("cloud.event", reason.event) });
  const params = { metric: word("cloud.metric", reason.metric), value: valueText(reason.metric, reason.value, unit) };
  if (limit === undefined || limit === null) return t("cloud.why.state", params);
  return t("cloud.why.threshold", { ...params, limit: valueText(reason.metric, limit, unit) });
}

/** The chart is loaded when the first one is wanted. */
function HourBefore({ alarm, limit }) {
  const box = useRef(null);
  const [told, setTold] = useState(t("ui.loading"));
  const raised = Date.parse(alarm.raised_at);
  useEffect(() => {
    let chart = null;
    let gone = false;
    (async () => {
      const [from, to] = [raised - HOUR_MS, Math.min(now(), raised + AFTER_MS)];
      const isState = typeof alarm.reason.value === "boolean";
      const query = new URLSearchParams({ metric: alarm.reason.metric, from: new Date(from).toISOString(), to: new Date(to).toISOString(), width: WIDTH });
      const [{ drawChart }, history] = await Promise.all([import("./chart.js"), get(`/devices/${alarm.device.id}/history?${query}`)]);
      if (gone) return;
      setTold(history.ms.length ? "" : t("ui.why.no-history"));
      if (history.ms.length) {
        chart = drawChart(box.current, { ...history, unit: unitName(history.unit), metric: alarm.reason.metric, from, to, raised, limit, isState });
      }
    })().catch(() => gone || setTold(t("ui.why.no-history")));
    return () => {
      gone = true;
      chart?.destroy();
    };
  }, [alarm.id, currentLanguage(), document.documentElement.dataset.theme]);
  return html`<figure class="chart"><figcaption>${t("ui.why.hour", { metric: word("cloud.metric", alarm.reason.metric) })}</figcaption>
    <div ref=${box}></div>${told && html`<p class="dim">${told}</p>`}</figure>`;
}

/** What was reported, not measured, is told by what the device reported before. */
function Events({ device }) {
  const [rows, setRows] = useState([]);
  useEffect(() => {
    get(`/devices/${device.id}/events?limit=5`).then(setRows).catch(() => setRows([]));
  }, [device.id]);
  if (!rows.length) return null;
  return html`<ul class="events" aria-label=${t("ui.why.events")}>
    ${rows.map((row) => html`<li key=${row.at + row.kind}><time>${clockTime(row.at)}</time> ${word("cloud.event", row.kind)}${row.kind.startsWith("access.") && row.data?.reason ? html` <span class="dim">${word("cloud.access-reason", row.data.reason)}</span>` : ""}</li>`)}
  </ul>`;
}
