// The queue: severity, then unacknowledged, then age; a row reddens when its response target passes.
import { html, useEffect, useRef } from "../core/html.js";
import { named, t, word } from "../core/i18n.js";
import { Chip } from "../core/severity.js";
import { useStore } from "../core/store.js";
import { clockTime, now, stopwatch, useNow } from "../core/time.js";
import { counts, isLate, queueRows } from "./derived.js";
import { select, store } from "./state.js";

/** Nobody reads further down; the filter and the map reach the rest. */
const ROWS_SHOWN = 150;
const TABS = ["people", "device", "closed"];

export function Queue() {
  const state = useStore(store);
  useNow(1000);
  const { queues } = counts(state);
  const sizes = { people: queues.people, device: queues.device, closed: state.recent.length };
  return html`<section class="panel queue" aria-label=${t("ui.queue.title")}>
    <div class="tabs" role="tablist">
      ${TABS.map(
        (tab) => html`<button key=${tab} role="tab" aria-selected=${state.queue === tab} data-tab=${tab}
          onClick=${() => store.set({ queue: tab, severity: null })}>${t(`ui.queue.${tab}`)} <b>${sizes[tab]}</b></button>`,
      )}
    </div>
    ${state.severity &&
    html`<p class="filter">${t("ui.queue.only", { severity: word("cloud.severity", state.severity) })}
      <button class="link" onClick=${() => store.set({ severity: null })}>${t("ui.queue.all")}</button></p>`}
    ${state.queue === "closed" ? html`<${Closed} state=${state} />` : html`<${Open} state=${state} />`}
  </section>`;
}

function Open({ state }) {
  const rows = queueRows(state);
  if (!rows.length) {
    return html`<div class="empty"><b>${t(`ui.queue.empty-${state.queue}`)}</b><span>${t(`ui.queue.empty-${state.queue}-hint`)}</span></div>`;
  }
  return html`<ul class="rows" role="listbox" aria-label=${t("ui.queue.title")} tabindex="-1">
    ${rows.slice(0, ROWS_SHOWN).map((row) => html`<${Row} key=${row.alarm.id} row=${row} state=${state} />`)}
    ${rows.length > ROWS_SHOWN && html`<li class="dim rest">${t("ui.map.more", { n: rows.length - ROWS_SHOWN })}</li>`}
  </ul>`;
}

function Row({ row, state }) {
  const { alarm, alarms, incident, severity } = row;
  const acknowledged = alarms.every((one) => one.acknowledged);
  const active = alarms.some((one) => one.active);
  const late = isLate(row, now());
  const chosen = alarm.incident_id !== null && alarm.incident_id === state.selected;
  const element = useRef(null);
  useEffect(() => {
    if (chosen) element.current?.scrollIntoView({ block: "nearest" });
  }, [chosen]);
  const classes = ["row", severity, late && "late", chosen && "chosen", !active && "cleared", state.fresh.has(alarm.id) && "fresh"];
  return html`<li ref=${element} class=${classes.filter(Boolean).join(" ")} role="option" aria-selected=${chosen} tabindex="0"
    data-alarm=${alarm.id} data-severity=${severity} data-acknowledged=${acknowledged} data-incident-of=${alarm.incident_id}
    onClick=${() => select(alarm.incident_id)} onKeyDown=${(event) => event.key === "Enter" && select(alarm.incident_id)}>
    <${Chip} severity=${severity} acknowledged=${acknowledged} />
    <div class="what"><b>${word("cloud.rule", alarm.rule)}${alarms.length > 1 && html` <em>×${alarms.length}</em>`}</b>
      <span class="place">${named(alarm.place?.full_name) || named(alarm.device.name)}</span>
      <span class="status">${status(row, acknowledged, active)}</span></div>
    <time title=${clockTime(alarm.raised_at)}>${stopwatch(now() - Date.parse(alarm.raised_at))}${late && html`<i>${t("ui.queue.late")}</i>`}</time>
  </li>`;
}

/** How far it is, in one line: the furthest person says most. */
function status({ alarm, incident }, acknowledged, active) {
  const parts = [];
  if (!active) parts.push(t("ui.queue.cleared"));
  const people = incident?.people ?? {};
  const furthest = ["on_scene", "on_the_way", "accepted", "offered"].find((step) => people[step] > 0);
  if (furthest) parts.push(t(`ui.people.${furthest}`, { n: people[furthest] }));
  else if (people.done > 0) parts.push(t("ui.people.done", { n: people.done }));
  if (!acknowledged) parts.unshift(t("ui.chip.unacknowledged"));
  else if (!furthest) parts.push(t("ui.queue.acknowledged-by", { name: named(alarm.acknowledged_by?.name) }));
  return parts.join(" · ");
}

function Closed({ state }) {
  if (!state.recent.length) return html`<div class="empty"><b>${t("ui.queue.empty-closed")}</b></div>`;
  return html`<ul class="rows">
    ${state.recent.map(
      (incident) => html`<li key=${incident.id} class="row over ${incident.id === state.selected ? "chosen" : ""}" tabindex="0"
        onClick=${() => select(incident.id)} onKeyDown=${(event) => event.key === "Enter" && select(incident.id)}>
        <${Chip} severity=${incident.severity} acknowledged over />
        <div class="what"><b>${word("cloud.rule", incident.kind)}</b><span class="place">${named(incident.place?.full_name)}</span>
          <span class="status">${word("cloud.outcome", incident.outcome ?? incident.state)}</span></div>
        <time>${clockTime(incident.closed_at)}</time>
      </li>`,
    )}
  </ul>`;
}
