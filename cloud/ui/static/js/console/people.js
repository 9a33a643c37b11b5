// Who comes: assignments step by step, requests with their receipts, and who else could be asked and why.
import { html } from "../core/html.js";
import { named, t, word } from "../core/i18n.js";
import { useStore } from "../core/store.js";
import { clockTime, duration, now, stopwatch, useNow } from "../core/time.js";
import { store } from "./state.js";

const STEPS = [
  ["accepted", "accepted_at"],
  ["on-the-way", "on_the_way_at"],
  ["on-scene", "on_scene_at"],
  ["done", "ended_at"],
];

export function People({ detail }) {
  const { assignments, offers, candidates } = detail;
  const asked = offers.filter((offer) => !assignments.some((one) => one.person.id === offer.person.id));
  const gone = new Set(offers.map((offer) => offer.person.id));
  const others = candidates.filter((one) => !gone.has(one.person.id));
  if (!assignments.length && !asked.length && !others.length) return null;
  return html`<section class="block people"><h3>${t("ui.people.title")}</h3>
    ${assignments.map((one) => html`<${Assignment} key=${one.person.id} one=${one} />`)}
    ${asked.length > 0 && html`<h4>${t("ui.people.asked")} <b>${asked.length}</b></h4>
      <ul class="offers">${asked.map((offer) => html`<${Offer} key=${offer.id} offer=${offer} />`)}</ul>`}
    ${others.length > 0 && html`<h4>${t("ui.people.could")} <b>${others.length}</b></h4>
      <ol class="candidates">${others.slice(0, 8).map((one) => html`<${Candidate} key=${one.person.id} one=${one} />`)}</ol>`}
  </section>`;
}

function Assignment({ one }) {
  const released = one.state === "released";
  return html`<div class="coming ${one.state}" data-coming=${one.person.id} data-state=${one.state}>
    <b>${named(one.person.name)}</b>${released && html`<span class="dim">${word("cloud.state", "released")}</span>`}
    <ol>
      ${STEPS.map(([state, at]) => {
        const when = state === "done" && released ? null : one[at];
        return html`<li key=${state} class=${when ? "past" : ""} data-step=${state} data-reached=${Boolean(when)}>
          <i></i><span>${word("cloud.state", state)}</span><time>${when ? clockTime(when) : ""}</time></li>`;
      })}
    </ol>
    ${one.note && html`<p class="quote">${one.note}</p>`}
  </div>`;
}

function Offer({ offer }) {
  useNow(1000);
  const left = Date.parse(offer.expires_at) - now();
  const isOpen = offer.state === "offered";
  const state = isOpen && offer.seen_at ? t("ui.people.seen") : word("cloud.state", offer.state);
  return html`<li class=${offer.state} data-offered=${offer.person.id} data-state=${offer.state} data-seen=${Boolean(offer.seen_at)}>
    <b>${named(offer.person.name)}</b><span class="tagged">${state}</span>
    <span class="dim">${distance(offer.distance_m)}</span>
    <time>${isOpen ? (left > 0 ? stopwatch(left) : "") : clockTime(offer.answered_at ?? offer.expires_at)}</time>
    <p>${(offer.why?.reasons ?? []).map(reasonText).join(" · ")}</p>
  </li>`;
}

function Candidate({ one }) {
  const status = useStore(store, (state) => state.responders.find((row) => row.person.id === one.person.id)?.status) ?? one.status;
  const eta = one.why.eta_s ? t("ui.people.eta", { age: duration(one.why.eta_s * 1000) }) : "";
  return html`<li><b>${named(one.person.name)}</b><span class="tagged">${word("cloud.state", status)}</span>
    <span class="dim">${[distance(one.distance_m), eta].filter(Boolean).join(" · ")}</span>
    <p>${(one.why.reasons ?? []).map(reasonText).join(" · ")}</p></li>`;
}

/** One reason why a person was asked. */
function reasonText({ code, params }) {
  const known = { ...params };
  if (known.skill) known.skill = word("cloud.skill", known.skill);
  return word("cloud.why-person", code, known);
}

const distance = (metres) => (metres === null || metres === undefined ? "" : t("ui.people.metres", { n: Math.round(metres) }));
