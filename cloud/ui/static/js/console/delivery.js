// What gateways hold back, and what did not arrive: a bar per lane, and the losses as they were told.
import { get } from "../core/api.js";
import { html, useEffect, useState } from "../core/html.js";
import { complaint, named, t, word } from "../core/i18n.js";
import { useStore } from "../core/store.js";
import { ago, useNow } from "../core/time.js";
import { Drawer } from "./help.js";
import { store } from "./state.js";

const EVERY_MS = 10000;
const PARTS = ["received", "open", "held", "lost"];
/** What is there must be seen, however little it is beside the rest (of 100). */
const LEAST = 5;

export function Delivery() {
  const changes = useStore(store, (state) => state.losses);
  const lag = useStore(store, (state) => state.lag);
  const [shown, setShown] = useState({ gateways: null, losses: [] });
  const [fault, setFault] = useState("");
  useNow(EVERY_MS);
  useEffect(() => {
    const load = () =>
      Promise.all([get("/delivery"), get("/delivery/losses?limit=50")])
        .then(([gateways, losses]) => (setShown({ gateways, losses }), setFault("")))
        .catch((error) => setFault(complaint(error)));
    load();
    const timer = setInterval(load, EVERY_MS);
    return () => clearInterval(timer);
  }, [changes]);
  const { gateways, losses } = shown;
  return html`<${Drawer} title=${t("ui.delivery.title")} test="delivery-drawer">
    ${fault && html`<p class="fault" role="alert">${fault}</p>`}
    ${lag && html`<p class="fault" role="alert">${t("cloud.lag.late", { seconds: lag })}</p>`}
    <ul class="legendline">${PARTS.map((part) => html`<li key=${part}><i class="part-${part}"></i>${t(`ui.delivery.${part}`)}</li>`)}</ul>
    ${gateways?.length === 0 && html`<p class="empty">${t("ui.delivery.none")}</p>`}
    <ul class="gateways">${(gateways ?? []).map((one) => html`<${Gateway} key=${one.id} one=${one} />`)}</ul>
    ${losses.length > 0 &&
    html`<h3>${t("ui.delivery.losses")}</h3>
      <ul class="losses">${losses.map((one) => html`<${Loss} key=${one.id} one=${one} />`)}</ul>`}
  <//>`;
}

function Gateway({ one }) {
  return html`<li class=${one.online ? "" : "off"} data-delivery=${one.code}>
    <b>${named(one.name) || one.code}</b>
    <small>${one.online ? named(one.place?.full_name) : `${t("ui.device.offline")} · ${one.seen_at ? ago(one.seen_at) : t("ui.health.never")}`}</small>
    ${one.lanes.map((lane) => html`<${Lane} key=${lane.lane} lane=${lane} />`)}
  </li>`;
}

function Lane({ lane }) {
  const told = PARTS.filter((part) => lane[part] > 0).map((part) => `${t(`ui.delivery.${part}`)} ${lane[part]}`);
  return html`<div class="lane" data-lane=${lane.lane} data-held=${lane.held} data-lost=${lane.lost}>
    <span>${word("cloud.lane", lane.lane)}</span>
    <svg viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label=${told.join(", ")}><title>${told.join(", ")}</title>
      ${segments(lane).map(({ part, from, size }) => html`<rect key=${part} class="part-${part}" x=${from} y="0" width=${size} height="8" />`)}
    </svg>
    <em class=${lane.lost ? "bad" : ""}>${lane.lost || lane.held || ""}</em>
  </div>`;
}

/** The parts of a bar side by side, together 100 wide. */
function segments(lane) {
  const there = PARTS.filter((part) => lane[part] > 0);
  const whole = there.reduce((sum, part) => sum + lane[part], 0);
  const free = 100 - LEAST * there.length;
  let from = 0;
  return there.map((part) => {
    const size = LEAST + (free * lane[part]) / whole;
    from += size;
    return { part, from: from - size, size };
  });
}

function Loss({ one }) {
  const whose = named(one.gateway?.name) || one.gateway?.code || one.epoch.slice(0, 8);
  const lane = word("cloud.lane", one.lane);
  const sentence = one.ended_at
    ? t("cloud.loss.arrived", { count: one.count, gateway: whose, lane })
    : t("cloud.loss.lost", { count: one.missing, gateway: whose, lane, reason: word("cloud.loss", one.reason) });
  return html`<li class=${one.ended_at ? "over" : ""} data-loss=${one.id} data-missing=${one.missing}>
    <span>${sentence}</span><time>${ago(one.ended_at ?? one.noticed_at)}</time>
  </li>`;
}
