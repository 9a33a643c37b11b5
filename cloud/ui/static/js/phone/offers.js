// What is asked of me: class, distance, why me, how long; one thumb decides.
import { html, useEffect } from "../core/html.js";
import { hasSentence, named, t, word } from "../core/i18n.js";
import { Icon } from "../core/icons.js";
import { Shape } from "../core/severity.js";
import { useStore } from "../core/store.js";
import { now, shortTime, stopwatch, useNow } from "../core/time.js";
import { dismiss, doOffer, store, tellSeen } from "./state.js";

const KIND = new Set(["late", "withdrawn"]);

export function Offers({ offers }) {
  const pending = useStore(store, (state) => state.pending);
  const open = offers.filter((offer) => offer.state === "offered" && !pending.some((one) => one.offer === offer.id && one.kind === "decline"));
  return open.map((offer) => html`<${Offer} key=${offer.id} offer=${offer} waiting=${pending.find((one) => one.offer === offer.id)} />`);
}

function Offer({ offer, waiting }) {
  useNow(1000);
  useEffect(() => tellSeen(offer), [offer.id]);
  const whole = Date.parse(offer.expires_at) - Date.parse(offer.offered_at);
  const left = Date.parse(offer.expires_at) - now();
  const reasons = (offer.why?.reasons ?? []).map(reasonText).filter(Boolean);
  return html`<section class="card offer ${offer.severity}" data-offer=${offer.id} data-severity=${offer.severity} role="alertdialog" aria-label=${appeal(offer)}>
    <div class="band"><${Shape} severity=${offer.severity} size=${18} /><b>${word("cloud.response", offer.response)}</b>
      <time>${left > 0 ? t("ui.offer.left", { time: stopwatch(left) }) : t("ui.offer.over")}</time></div>
    <progress max=${whole} value=${Math.max(0, left)} aria-hidden="true"></progress>
    <h2>${appeal(offer)}</h2>
    <p class="kind">${word("cloud.rule", offer.kind)}</p>
    <dl><div><dt><${Icon} name="pin" /></dt><dd>${named(offer.place?.full_name)}</dd></div></dl>
    <p class="distance">${offer.distance_m === null ? t("ui.offer.far") : t("ui.offer.about", { n: offer.distance_m })}</p>
    ${reasons.length > 0 && html`<div class="whyme"><b>${t("ui.offer.why")}</b><ul>${reasons.map((one) => html`<li key=${one}>${one}</li>`)}</ul></div>`}
    ${waiting?.tries > 0 && html`<p class="unsent">${t("ui.unsynced.one")}</p>`}
    <div class="choice">
      <button class="big" data-act="decline" disabled=${Boolean(waiting)} onClick=${() => doOffer(offer, "decline")}>${t("ui.offer.decline")}</button>
      <button class="big go" data-act="accept" disabled=${Boolean(waiting)} onClick=${() => doOffer(offer, "accept")}>${t("ui.offer.accept")}</button>
    </div>
    <p class="dim small">${t("ui.offer.free")} ${t("ui.offer.address-later")}</p>
  </section>`;
}

/** To those who came second, or are no longer needed: kindly, and about the last request only. */
export function Messages({ offers }) {
  const dismissed = useStore(store, (state) => state.dismissed);
  const offer = offers.find((one) => KIND.has(one.state));
  if (!offer || dismissed.has(offer.id)) return null;
  return html`<section key=${offer.id} class="card kindly" data-offer-state=${offer.state} data-message=${offer.id} role="status">
      <${Icon} name="heart" size=${26} />
      <div><p>${offer.state === "late" ? t("ui.offer.second") : t("ui.offer.ended")}</p>
        <small>${word("cloud.rule", offer.kind)} · ${shortTime(offer.offered_at)}</small></div>
      <button class="big quiet" onClick=${() => dismiss(offer.id)}>${t("ui.offer.okay")}</button>
    </section>`;
}

function appeal(offer) {
  const key = `ui.offer.help-${offer.response}`;
  return hasSentence(key) ? t(key) : t("ui.offer.help-C");
}

function reasonText({ code, params }) {
  const known = { ...params };
  if (known.skill) known.skill = word("cloud.skill", known.skill);
  return word("cloud.why-person", code, known);
}
