// The devices of a gateway: where each hangs, what the gateway says, what the walk test has heard, and what a person decides.
import { TYPES } from "../console/values.js";
import { post } from "../core/api.js";
import { html, useState } from "../core/html.js";
import { named, t, word } from "../core/i18n.js";
import { useStore } from "../core/store.js";
import { ago } from "../core/time.js";
import { fail, loadPlaces, pathOf, show, store } from "./state.js";

const OPEN = ["differs", "unknown"];

/** What waits for a person comes first, then what has no place. */
const rank = (one) => (OPEN.includes(one.told?.state) ? 0 : one.live ? 2 : 1);

export function Devices({ shown }) {
  const rows = [...shown.devices].sort((a, b) => rank(a) - rank(b));
  const waiting = rows.filter((one) => rank(one) < 2).length;
  const walking = shown.walk_test?.state === "running";
  return html`<section class="card"><h2>${t("ui.install.devices")}</h2>
    <p class=${waiting ? "warn" : "dim"} data-waiting=${waiting}>${waiting ? t("ui.install.waiting", { count: waiting }) : t("ui.install.all-live")}</p>
    <ul class="devices">${rows.map((one) => html`<${Device} key=${one.id} one=${one} shown=${shown} walking=${walking} />`)}</ul>
  </section>`;
}

function Device({ one, shown, walking }) {
  const [choosing, setChoosing] = useState(false);
  const isOpen = OPEN.includes(one.told?.state);
  const decide = (body) =>
    post(`${pathOf(shown)}/devices/${encodeURIComponent(one.code)}/place`, body).then((found) => (setChoosing(false), show(found)), fail);
  const type = one.type ?? one.told?.type;
  const proof = walking ? one.tick : one.tested;
  return html`<li data-device=${one.code} data-live=${one.live} data-told=${one.told?.state ?? "none"} data-ticked=${Boolean(one.tick)}>
    <div class="head"><b>${named(one.name) || one.code}</b><code>${one.code}</code>
      <span class="tagged ${one.live ? "" : "off"}">${t(one.live ? "ui.install.live" : "ui.install.not-live")}</span></div>
    <p>${one.place ? named(one.place.full_name) : t("ui.install.nowhere")}</p>
    <p class="dim">${type ? `${word("cloud.device-type", type)} · ` : ""}${t(one.online ? "ui.install.online" : "ui.device.offline")}
      ${proof ? html` · <span class=${proof.result === "heard" ? "" : "tick"}>${proof.result === "heard" ? "" : "✓ "}${word("ui.install.result", proof.result)} ${what(proof)}, ${ago(proof.at)}</span>` : html` · ${t(walking ? "ui.install.unheard" : "ui.install.untested")}`}</p>
    ${isOpen && html`<div class="warn"><p>${t(`ui.install.told-${one.told.state}`, { place: one.told.place, type: word("cloud.device-type", one.told.type) })}</p>
      <div class="ways">
        ${one.told.state === "differs" && html`<button class="big" data-testid="take" onClick=${() => decide({ decision: "take" })}>${t("ui.install.take")}</button>`}
        ${one.live && html`<button class="big" data-testid="keep" onClick=${() => decide({ decision: "keep" })}>${t("ui.install.keep")}</button>`}
      </div></div>`}
    ${choosing
      ? html`<${Choice} shown=${shown} asksType=${!type} likely=${one.likely} onChoice=${(path, type) => decide({ decision: "place", path, ...type })} onCancel=${() => setChoosing(false)} />`
      : (isOpen || !one.live) && html`<button class="big whole" data-testid="choose" onClick=${() => (loadPlaces(), setChoosing(true))}>${t("ui.install.choose")}</button>`}
  </li>`;
}

function Choice({ shown, asksType, likely, onChoice, onCancel }) {
  const places = useStore(store, (state) => state.places);
  const [place, setPlace] = useState("");
  const [type, setType] = useState(likely ?? "");
  if (!places) return html`<p class="dim">${t("ui.loading")}</p>`;
  const known = new Map(places.map((one) => [one.place, one]));
  const line = (code) => code.split("/").map((_, n, codes) => named(known.get(codes.slice(0, n + 1).join("/"))?.name)).join(" ");
  return html`<label class="field">${t("ui.install.place")}
      <select value=${place} onChange=${(event) => setPlace(event.target.value)}><option value=""></option>
        ${places.map((one) => html`<option key=${one.place} value=${one.path}>${one.place} ${line(one.place)}</option>`)}</select></label>
    ${asksType && html`<label class="field">${t("ui.install.stranger-type")}
      <select value=${type} data-testid="type" onChange=${(event) => setType(event.target.value)}><option value=""></option>
        ${TYPES.map((code) => html`<option key=${code} value=${code}>${word("cloud.device-type", code)}</option>`)}</select></label>`}
    <div class="choice"><button class="big" onClick=${onCancel}>${t("ui.cancel")}</button>
      <button class="big go" disabled=${!place || (asksType && !type)} data-testid="hang" onClick=${() => onChoice(place, asksType && { type })}>${t("ui.install.hang")}</button></div>`;
}

/** What was heard, in words: a rule, an event or a metric. */
const PREFIX = { alarm: "cloud.rule", event: "cloud.event", heard: "cloud.metric" };
const what = ({ result, what: heard }) => word(PREFIX[result], heard);
