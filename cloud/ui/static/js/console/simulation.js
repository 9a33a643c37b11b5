// "Make something happen": exists only where the street is simulated.
import { get } from "../core/api.js";
import { html, useEffect, useState } from "../core/html.js";
import { complaint, hasSentence, named, t } from "../core/i18n.js";
import { trigger } from "./actions.js";
import { Drawer } from "./help.js";

export function Simulation() {
  const [triggers, setTriggers] = useState(null);
  const [fault, setFault] = useState("");
  useEffect(() => {
    get("/simulation").then((answer) => setTriggers(answer.triggers)).catch((error) => setFault(complaint(error)));
  }, []);
  return html`<${Drawer} title=${t("ui.simulation.title")} test="simulation-drawer">
    <p class="dim">${t("ui.simulation.hint")}</p>
    ${fault && html`<p class="fault" role="alert">${fault}</p>`}
    <ul class="triggers">
      ${(triggers ?? []).map((one) => html`<${Trigger} key=${one.name} name=${one.name} targets=${one.targets} />`)}
    </ul>
  <//>`;
}

function Trigger({ name, targets }) {
  const [at, setAt] = useState(targets[0]?.device ?? null);
  const key = `ui.trigger.${name}`;
  return html`<li>
    <b>${hasSentence(key) ? t(key) : name}</b>
    ${targets.length > 1
      ? html`<select aria-label=${t("ui.simulation.where")} value=${at} onChange=${(event) => setAt(event.target.value)}>
          ${targets.map((target) => html`<option key=${target.device} value=${target.device}>${named(target.name)}</option>`)}
        </select>`
      : html`<span class="dim">${named(targets[0]?.name)}</span>`}
    <button class="act" data-trigger=${name} onClick=${() => trigger(name, at)}>${t("ui.simulation.go")}</button>
  </li>`;
}
