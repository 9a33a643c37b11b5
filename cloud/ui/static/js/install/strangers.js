// Devices that the gateway hears and its configuration does not name: a person gives each a name and a type.
import { TYPES } from "../console/values.js";
import { actionId, post } from "../core/api.js";
import { html, useRef, useState } from "../core/html.js";
import { t, word } from "../core/i18n.js";
import { ago } from "../core/time.js";
import { fail, pathOf, show } from "./state.js";

const ID = "[a-z0-9]([a-z0-9\\-]{0,62}[a-z0-9])?";

export function Strangers({ shown }) {
  if (!shown.waiting.length) return null;
  return html`<section class="card"><h2>${t("ui.install.strangers")}</h2>
    <p class="warn" data-strangers=${shown.waiting.length}>${t("ui.install.strangers-about")}</p>
    <ul class="devices">${shown.waiting.map((one) => html`<${Stranger} key=${`${one.driver}/${one.address}`} one=${one} shown=${shown} />`)}</ul>
  </section>`;
}

function Stranger({ one, shown }) {
  const [code, setCode] = useState("");
  const [type, setType] = useState(one.type);
  const [sent, setSent] = useState(false);
  const action = useRef({});
  const approve = (event) => {
    event.preventDefault();
    // The same words again are the same action; other words are another one.
    if (action.current.words !== `${code} ${type}`) action.current = { words: `${code} ${type}`, id: actionId() };
    const body = { driver: one.driver, address: one.address, id: code, type, action_id: action.current.id };
    post(`${pathOf(shown)}/waiting`, body).then((found) => (setSent(true), show(found)), fail);
  };
  return html`<li data-stranger=${one.address}>
    <div class="head"><b>${one.model || one.name || one.address}</b><code>${one.address}</code></div>
    <p class="dim">${one.driver} · ${one.type ? word("cloud.device-type", one.type) : "–"} · ${t("ui.install.stranger-since")} ${ago(one.since)}</p>
    ${sent ? html`<p role="status">${t("ui.install.stranger-sent")}</p>` : html`<form onSubmit=${approve}>
      <label class="field">${t("ui.install.stranger-id")}<input required pattern=${ID} value=${code} onInput=${(event) => setCode(event.target.value)} /></label>
      <label class="field">${t("ui.install.stranger-type")}<select required value=${type} onChange=${(event) => setType(event.target.value)}><option value=""></option>
        ${TYPES.map((code) => html`<option key=${code} value=${code}>${word("cloud.device-type", code)}</option>`)}</select></label>
      <button class="big whole" data-testid="approve">${t("ui.install.stranger-approve")}</button></form>`}
  </li>`;
}
