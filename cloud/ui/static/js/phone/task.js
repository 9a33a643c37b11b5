// What I took on: on the way → on scene → done. Address and access show from accepting until the end, never after.
import { html, useState } from "../core/html.js";
import { named, t, word } from "../core/i18n.js";
import { Icon } from "../core/icons.js";
import { Shape } from "../core/severity.js";
import { useStore } from "../core/store.js";
import { shortTime } from "../core/time.js";
import { dismiss, doStep, store } from "./state.js";

const STEPS = ["accepted", "on-the-way", "on-scene", "done"];
const TIMES = { accepted: "accepted_at", "on-the-way": "on_the_way_at", "on-scene": "on_scene_at", done: "ended_at" };

export function Task({ assignment }) {
  const pending = useStore(store, (state) => state.pending);
  const dismissed = useStore(store, (state) => state.dismissed);
  const mine = pending.filter((one) => one.offer === assignment.offer_id && (STEPS.includes(one.kind) || one.kind === "release"));
  const state = mine.at(-1)?.kind ?? assignment.state;
  if (state === "release" || state === "released") return null;
  if (assignment.ended_at !== null || state === "done") {
    if (dismissed.has(assignment.offer_id)) return null;
    return html`<${Finished} assignment=${assignment} unsent=${mine.some((one) => one.tries > 0)} />`;
  }
  return html`<${UnderWay} assignment=${assignment} state=${state} unsent=${mine.some((one) => one.tries > 0)} />`;
}

function UnderWay({ assignment, state, unsent }) {
  const [note, setNote] = useState("");
  const [giving, setGiving] = useState(false);
  const next = STEPS[STEPS.indexOf(state) + 1];
  return html`<section class="card task ${assignment.severity}" data-assignment=${assignment.offer_id} data-state=${state}>
    <div class="band"><${Shape} severity=${assignment.severity} size=${18} /><b>${t("ui.task.title")}</b><time>${word("cloud.rule", assignment.kind)}</time></div>
    <h2>${named(assignment.place?.full_name)}</h2>
    ${assignment.access && html`<p class="access"><${Icon} name="key" /><span>${named(assignment.access)}</span></p>`}
    <${Ways} assignment=${assignment} />
    <ol class="steps">
      ${STEPS.map((step, n) => html`<li key=${step} class=${n <= STEPS.indexOf(state) ? "past" : ""}><i></i>${word("cloud.state", step)}
        <time>${assignment[TIMES[step]] ? shortTime(assignment[TIMES[step]]) : ""}</time></li>`)}
    </ol>
    ${next === "done" && html`<label class="note">${t("ui.task.note")}<textarea rows="2" maxlength="2000" value=${note} onInput=${(event) => setNote(event.target.value)}></textarea></label>`}
    ${unsent && html`<p class="unsent" data-testid="unsent">${t("ui.unsynced.one")}</p>`}
    <button class="big go whole" data-act=${next} onClick=${() => doStep(assignment, next, note.trim())}>${t(`ui.task.${next}`)}</button>
    <p class="dim small">${t("ui.task.safety")}</p>
    ${giving
      ? html`<div class="giving"><p>${t("ui.task.release-sure")}</p><div class="choice">
          <button class="big" onClick=${() => setGiving(false)}>${t("ui.cancel")}</button>
          <button class="big" data-act="release" onClick=${() => doStep(assignment, "release", "")}>${t("ui.task.release-yes")}</button></div></div>`
      : html`<button class="big quiet whole" data-testid="release" onClick=${() => setGiving(true)}>${t("ui.task.release")}</button>`}
  </section>`;
}

/** Links to what is on the phone; nothing is loaded from outside before a tap. */
function Ways({ assignment }) {
  const { lat, lon, response, place } = assignment;
  const name = encodeURIComponent(named(place?.full_name));
  return html`<div class="ways">
    ${lat !== null && html`<a class="big" href=${`geo:${lat},${lon}?q=${lat},${lon}(${name})`}><${Icon} name="pin" />${t("ui.task.navigate")}</a>
      <a class="big" target="_blank" rel="noreferrer noopener" href=${`https://uri.amap.com/marker?position=${lon},${lat}&name=${name}&coordinate=wgs84&callnative=1`}>${t("ui.task.amap")}</a>`}
    ${response === "A" && html`<a class="big" href="tel:119">${t("ui.task.call-119")}</a><a class="big" href="tel:120">${t("ui.task.call-120")}</a>`}
  </div>`;
}

function Finished({ assignment, unsent }) {
  const from = Date.parse(assignment.accepted_at);
  const minutes = assignment.ended_at ? Math.max(1, Math.round((Date.parse(assignment.ended_at) - from) / 60000)) : null;
  if (assignment.state !== "done" && assignment.ended_at !== null) {
    return html`<section class="card kindly" data-assignment=${assignment.offer_id} data-state=${assignment.state}>
      <${Icon} name="heart" size=${26} /><div><p>${t("ui.offer.ended")}</p></div>
      <button class="big quiet" onClick=${() => dismiss(assignment.offer_id)}>${t("ui.offer.okay")}</button></section>`;
  }
  return html`<section class="card finished" data-assignment=${assignment.offer_id} data-state="done" role="status">
    <${Icon} name="heart" size=${40} /><h2>${t("ui.task.finished")}</h2>
    ${minutes && html`<p class="dim">${t("ui.task.finished-hint", { n: minutes })}</p>`}
    ${unsent && html`<p class="unsent" data-testid="unsent">${t("ui.unsynced.one")}</p>`}
    <button class="big quiet whole" onClick=${() => dismiss(assignment.offer_id)}>${t("ui.offer.okay")}</button>
  </section>`;
}
