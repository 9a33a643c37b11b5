// A building's floors, top to bottom, with what hangs there and what it last said.
import { html } from "../core/html.js";
import { Icon } from "../core/icons.js";
import { named, t, word } from "../core/i18n.js";
import { Chip } from "../core/severity.js";
import { useStore } from "../core/store.js";
import { ago } from "../core/time.js";
import { Commands } from "./commands.js";
import { alarmsByDevice } from "./derived.js";
import { openDevice, select, store } from "./state.js";
import { latestOf } from "./values.js";

export function Building({ place }) {
  const { places, devices, alarms } = useStore(store);
  const inside = places.filter((one) => one.path === place.path || one.path.startsWith(`${place.path}/`));
  const byDevice = alarmsByDevice(alarms);
  const rows = floors(inside).map(([floor, there]) => [floor, devices.filter((one) => there.some(({ id }) => id === one.place?.id)), there]);
  return html`<div class="building panel" role="dialog" aria-label=${named(place.name)} data-testid="building">
    <header><h3>${named(place.name)}</h3>
      <button class="tool" aria-label=${t("ui.close")} onClick=${() => store.set({ focusPlace: null })}><${Icon} name="close" /></button></header>
    <ol>
      ${rows.map(
        ([floor, there, homes]) => html`<li key=${floor ?? "common"}>
          <b>${floor === null ? t("ui.building.common") : t("ui.building.floor", { n: floor })}</b>
          <div>
            ${there.map((device) => html`<${Device} key=${device.id} device=${device} alarm=${byDevice.get(device.id)} />`)}
            ${!there.length && html`<span class="dim">${homes.map((one) => named(one.name)).join("、") || t("ui.building.nothing")}</span>`}
          </div>
        </li>`,
      )}
    </ol>
  </div>`;
}

function Device({ device, alarm }) {
  const values = latestOf(device);
  const open = (event) => {
    event.stopPropagation();
    openDevice(device.id);
  };
  return html`<div class="thing ${device.online ? "" : "gone"}" onClick=${() => alarm?.incident_id && select(alarm.incident_id)}>
    ${alarm && html`<${Chip} severity=${alarm.severity} acknowledged=${alarm.acknowledged} />`}
    <button class="link" data-open=${device.code} onClick=${open}>${named(device.place?.name)} · ${named(device.name)}</button>
    <small>${device.online ? values : `${word("ui.device", "offline")}${device.changed_at ? `, ${ago(device.changed_at)}` : ""}`}</small>
    <${Commands} device=${device} />
  </div>`;
}

/** Floors from the top; what has no floor comes last. */
function floors(places) {
  const found = new Map();
  for (const place of places) {
    const floor = place.floor ?? null;
    if (!found.has(floor)) found.set(floor, []);
    found.get(floor).push(place);
  }
  return [...found].sort(([a], [b]) => (a === null) - (b === null) || b - a);
}
