// Nothing is selected: what the night looks like, and where to begin.
import { html } from "../core/html.js";
import { named, t, word } from "../core/i18n.js";
import { Chip } from "../core/severity.js";
import { useStore } from "../core/store.js";
import { ago, clockTime, useNow } from "../core/time.js";
import { counts, queueRows } from "./derived.js";
import { select, store } from "./state.js";
import { lastHeard } from "./values.js";

export function Calm() {
  const state = useStore(store);
  useNow(5000);
  const { queues } = counts(state);
  const rows = queueRows({ ...state, queue: "people", severity: null });
  const { gateways, devices } = state.overview;
  const deaf = gateways.total - gateways.online; // what is not heard must not look calm
  const heard = state.devices.map(lastHeard).filter(Boolean).sort().at(-1);
  return html`<div class="calm">
    <div class="ring ${queues.people ? rows[0].severity : deaf ? "deaf" : ""}" aria-hidden="true"><b>${queues.people || (deaf ? "?" : "✓")}</b></div>
    <h2>${queues.people ? t("ui.calm.open", { n: queues.people }) : deaf ? t("ui.calm.deaf") : t("ui.calm.title")}</h2>
    <p>${queues.people ? t("ui.calm.open-hint") : deaf ? t("ui.calm.deaf-hint", { n: deaf, devices: devices.total - devices.online }) : t("ui.calm.hint")}</p>
    ${rows.length > 0 &&
    html`<button class="act primary" onClick=${() => select(rows[0].alarm.incident_id)}>${t("ui.calm.first", { rule: word("cloud.rule", rows[0].alarm.rule) })}</button>`}
    <dl class="facts">
      <div><dt>${t("ui.top.devices")}</dt><dd>${devices.online}/${devices.total}</dd></div>
      <div><dt>${t("ui.calm.gateways")}</dt><dd>${gateways.online}/${gateways.total}</dd></div>
      <div><dt>${t("ui.queue.device")}</dt><dd>${queues.device}</dd></div>
      <div><dt>${t("ui.calm.heard")}</dt><dd>${heard ? ago(heard) : "–"}</dd></div>
    </dl>
    ${state.recent.length > 0 &&
    html`<section class="block"><h3>${t("ui.calm.recent")}</h3>
      <ul class="rows small">
        ${state.recent.slice(0, 6).map(
          (one) => html`<li key=${one.id} class="row over" tabindex="0" onClick=${() => select(one.id)} onKeyDown=${(event) => event.key === "Enter" && select(one.id)}>
            <${Chip} severity=${one.severity} acknowledged over />
            <div class="what"><b>${word("cloud.rule", one.kind)}</b><span class="place">${named(one.place?.full_name)}</span></div>
            <time>${clockTime(one.closed_at)}</time></li>`,
        )}
      </ul>
    </section>`}
    <p class="keysline"><kbd>j</kbd><kbd>k</kbd> ${t("ui.help.move")} · <kbd>?</kbd> ${t("ui.help.title")}</p>
  </div>`;
}
