// Below the map: the people, and the health of the equipment.
import { html, useState } from "../core/html.js";
import { hasSentence, named, t, word } from "../core/i18n.js";
import { useStore } from "../core/store.js";
import { ago, useNow } from "../core/time.js";
import { STATUS_ORDER, alarmsByDevice } from "./derived.js";
import { openConfiguration, openDevice, seenLosses, select, store } from "./state.js";
import { TELLING, lastHeard, latestOf, valueText } from "./values.js";

const COMPACT_FROM = 150;
const WIDE_UP_TO = 40;

export function BottomBar() {
  return html`<div class="bottom"><${Responders} /><${Health} /></div>`;
}

function Responders() {
  const responders = useStore(store, (state) => state.responders);
  const incidents = useStore(store, (state) => state.incidents);
  useNow(10000);
  const rows = [...responders].sort(
    (a, b) => STATUS_ORDER.indexOf(a.status) - STATUS_ORDER.indexOf(b.status) || named(a.person.name).localeCompare(named(b.person.name)),
  );
  return html`<section class="panel responders" aria-label=${t("ui.responders.title")}>
    <h2>${t("ui.responders.title")} <b>${rows.filter((one) => one.status !== "off-duty").length}/${rows.length}</b></h2>
    ${rows.length === 0 && html`<p class="empty">${t("ui.responders.none")}</p>`}
    <ul>
      ${rows.map((one) => html`<${Responder} key=${one.person.id} one=${one} incident=${incidents.find(({ id }) => id === one.incident_id)} />`)}
    </ul>
  </section>`;
}

function Responder({ one, incident }) {
  const position = one.source === "fix" ? ago(one.located_at) : word("ui.source", one.source);
  return html`<li class=${one.status} data-responder=${one.person.id} data-status=${one.status}>
    <b>${named(one.person.name)}</b><span class="tagged">${word("cloud.state", one.status)}</span>
    ${incident ? html`<button class="link" onClick=${() => select(incident.id)}>${word("cloud.rule", incident.kind)} #${incident.id}</button>` : html`<span></span>`}
    <small>${one.status === "off-duty" ? "" : position}</small>
  </li>`;
}

/** One cell per device. Grey is normal; hover or focus tells what it is, what it last said and when. */
function Health() {
  const devices = useStore(store, (state) => state.devices);
  const alarms = useStore(store, (state) => state.alarms);
  const [shown, setShown] = useState(null);
  const byDevice = alarmsByDevice(alarms);
  const isWide = devices.length <= WIDE_UP_TO;
  const gateways = new Map();
  for (const device of devices) gateways.set(device.gateway.code, [...(gateways.get(device.gateway.code) ?? []), device]);
  const one = devices.find((device) => device.id === shown);
  return html`<section class="panel health" aria-label=${t("ui.health.title")}>
    <h2>${t("ui.health.title")} <b>${devices.filter((device) => device.online).length}/${devices.length}</b>
      <${DeliveryButton} /></h2>
    <div class="matrix ${devices.length > COMPACT_FROM ? "compact" : isWide ? "wide" : ""}" onMouseLeave=${() => setShown(null)}>
      ${[...gateways].map(
        ([code, there]) => html`<div class="gateway ${there[0].gateway.online ? "" : "off"}" key=${code} data-gateway=${code} data-online=${there[0].gateway.online}>
          <span><button class="link" data-configuration=${code} title=${t("ui.configuration.open")}
            onClick=${() => openConfiguration(there[0].gateway)}>${code}</button>${there[0].gateway.online ? "" : ` · ${t("ui.device.offline")}`}</span>
          <div>${there.map((device) => html`<${Cell} key=${device.id} device=${device} alarm=${byDevice.get(device.id)} isWide=${isWide} onShow=${setShown} />`)}</div>
        </div>`,
      )}
    </div>
    <p class="told" aria-live="off">${one ? tell(one, byDevice.get(one.id)) : t("ui.health.hint")}</p>
  </section>`;
}

/** What gateways hold and what is missing is behind this; red while there is something that nobody looked at here. */
function DeliveryButton() {
  const isBad = useStore(store, (state) => state.lost || state.lag !== null);
  const toggle = () => {
    store.set((state) => ({ panel: state.panel === "delivery" ? null : "delivery" }));
    seenLosses();
  };
  return html`<button class="link delivery-open ${isBad ? "bad" : ""}" data-testid="delivery" onClick=${toggle}>${t("ui.delivery.title")}${isBad ? " ●" : ""}</button>`;
}

function Cell({ device, alarm, isWide, onShow }) {
  const isOff = !device.online || !device.gateway.online;
  const known = `ui.glyph.${device.type}`;
  const glyph = hasSentence(known) ? t(known) : device.type;
  const metric = TELLING[device.type];
  const told = device.latest?.[metric];
  return html`<button class="cell ${isOff ? "off" : ""} ${alarm?.severity ?? ""}" data-device=${device.code} data-online=${device.online}
    aria-label=${tell(device, alarm)} onMouseEnter=${() => onShow(device.id)} onFocus=${() => onShow(device.id)}
    onClick=${() => (alarm?.incident_id ? select(alarm.incident_id) : openDevice(device.id))}><b>${isWide ? glyph : glyph.slice(0, 2)}</b>
    <span>${isOff ? t("ui.device.offline") : told ? valueText(metric, told.value, told.unit) : ""}</span></button>`;
}

function tell(device, alarm) {
  const heard = lastHeard(device);
  const parts = [named(device.place?.full_name), named(device.name) || device.code];
  if (alarm) parts.push(word("cloud.rule", alarm.rule));
  if (!device.online) parts.push(t("ui.device.offline"));
  parts.push(latestOf(device), heard ? ago(heard) : t("ui.health.never"));
  return parts.filter(Boolean).join(" · ");
}
