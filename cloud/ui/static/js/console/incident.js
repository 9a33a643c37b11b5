// The selected incident: what was measured, why it fired, who comes, what happened, what can be done.
import { html, useEffect, useRef, useState } from "../core/html.js";
import { Icon } from "../core/icons.js";
import { hasSentence, named, t, word } from "../core/i18n.js";
import { Chip } from "../core/severity.js";
import { useStore } from "../core/store.js";
import { clockTime, dayName, now, stopwatch, useNow } from "../core/time.js";
import { KEYS, NEEDS_WORD, act, begin } from "./actions.js";
import { compareAlarms } from "../core/severity.js";
import { People } from "./people.js";
import { select, store } from "./state.js";
import { Timeline } from "./timeline.js";
import { Why } from "./why.js";

const LOOP = ["filed", "dispatched", "handling", "fed-back", "closed"];
const ORDER = ["acknowledge", "dispatch", "note", "call-off", "escalate", "false-alarm", "close"];
const LETTERS = Object.fromEntries(Object.entries(KEYS).map(([key, action]) => [action, key.toUpperCase()]));

export function Incident() {
  const detail = useStore(store, (state) => state.detail);
  const form = useStore(store, (state) => state.form);
  if (!detail) return html`<div class="empty waiting"><span>${t("ui.loading")}</span></div>`;
  const alarms = [...detail.alarms].sort(compareAlarms);
  return html`<article class="incident" data-incident=${detail.id} data-state=${detail.state} data-severity=${detail.severity}>
    <${Head} detail=${detail} />
    <${Loop} detail=${detail} />
    ${form ? html`<${WordForm} key=${form.action} detail=${detail} action=${form.action} />` : html`<${Actions} detail=${detail} />`}
    <div class="scroll">
      ${alarms[0] && html`<${Why} alarm=${alarms[0]} />`}
      <${People} detail=${detail} />
      ${alarms.length > 1 && html`<${Alarms} alarms=${alarms} />`}
      <${Timeline} rows=${detail.timeline} />
    </div>
  </article>`;
}

function Head({ detail }) {
  useNow(1000);
  const lasted = (detail.closed_at ? Date.parse(detail.closed_at) : now()) - Date.parse(detail.opened_at);
  return html`<header>
    <${Chip} severity=${detail.severity} acknowledged=${detail.acknowledged} over=${detail.closed_at !== null} />
    <div><h2>${word("cloud.rule", detail.kind)}</h2><p>${named(detail.place?.full_name)}</p>
      <small>#${detail.id} · ${word("cloud.response", detail.response)}</small></div>
    <time title=${`${dayName(detail.opened_at)} ${clockTime(detail.opened_at)}`}><b>${stopwatch(lasted)}</b></time>
    <button class="tool" aria-label=${t("ui.close")} title=${t("ui.incident.leave")} onClick=${() => select(null)}><${Icon} name="close" /></button>
  </header>`;
}

/** The closed loop, and where the incident stands in it. */
function Loop({ detail }) {
  if (detail.state === "void") return html`<p class="loop void">${word("cloud.outcome", detail.outcome)}</p>`;
  const at = detail.state === "evaluated" ? LOOP.length : LOOP.indexOf(detail.state);
  return html`<ol class="loop" aria-label=${t("ui.incident.loop")}>
    ${LOOP.map((step, n) => html`<li key=${step} class=${n < at ? "past" : n === at ? "here" : ""} aria-current=${n === at ? "step" : null}>${word("cloud.state", step)}</li>`)}
  </ol>`;
}

function Actions({ detail }) {
  const possible = ORDER.filter((action) => detail.actions.includes(action));
  return html`<div class="actions" role="group" aria-label=${t("ui.incident.actions")}>
    ${possible.map(
      (action, n) => html`<button key=${action} class="act ${n === 0 && action !== "note" ? "primary" : ""}" data-act=${action} onClick=${() => begin(action)}>
        ${word("cloud.action", action)}<kbd>${LETTERS[action]}</kbd></button>`,
    )}
  </div>`;
}

/** What ends something or calls for others asks for a word first. */
function WordForm({ detail, action }) {
  const [note, setNote] = useState("");
  const [busy, setBusy] = useState(false);
  const field = useRef(null);
  useEffect(() => field.current.focus(), []);
  const send = async (event) => {
    event.preventDefault();
    setBusy(true);
    await act(detail.id, action, note.trim());
    setBusy(false);
  };
  const key = `ui.confirm.${action}`;
  const isNote = action === "note";
  return html`<form class="word" onSubmit=${send} data-form=${action}>
    <label>${hasSentence(key) && NEEDS_WORD.includes(action) ? t(key) : word("cloud.action", action)}
      <input ref=${field} maxlength="2000" required=${isNote} value=${note} placeholder=${t(isNote ? "ui.note.placeholder" : "ui.note.optional")}
        onInput=${(event) => setNote(event.target.value)} />
    </label>
    <div><button class="act primary" disabled=${busy} data-act="confirm">${word("cloud.action", action)}</button>
      <button type="button" class="act" onClick=${() => store.set({ form: null })}>${t("ui.cancel")}</button></div>
  </form>`;
}

function Alarms({ alarms }) {
  return html`<section class="block"><h3>${t("ui.incident.alarms")} <b>${alarms.length}</b></h3>
    <ul class="alarms">
      ${alarms.slice(0, 40).map(
        (alarm) => html`<li key=${alarm.id}><${Chip} severity=${alarm.severity} acknowledged=${alarm.acknowledged} over=${!alarm.active} />
          <span>${word("cloud.rule", alarm.rule)} · ${named(alarm.device.name)}</span><time>${clockTime(alarm.raised_at)}</time></li>`,
      )}
    </ul>
    ${alarms.length > 40 && html`<p class="dim">${t("ui.map.more", { n: alarms.length - 40 })}</p>`}
  </section>`;
}
