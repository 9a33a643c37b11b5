// My duty, my week, my thanks; and what could not be sent yet.
import { put } from "../core/api.js";
import { html, useEffect } from "../core/html.js";
import { complaint, t } from "../core/i18n.js";
import { Icon } from "../core/icons.js";
import { useStore } from "../core/store.js";
import { notify, setDuty, store } from "./state.js";

const POSITION_EVERY_MS = 120000;

/** Actions that wait for the network, said plainly. */
export function Unsynced() {
  const pending = useStore(store, (state) => state.pending);
  const stuck = pending.filter((one) => one.tries > 0).length;
  if (!stuck) return null;
  return html`<p class="unsynced" role="status" data-testid="unsynced">${t("ui.unsynced.badge", { n: stuck })}<span>${t("ui.unsynced.one")}</span></p>`;
}

export function Duty({ onDuty }) {
  const pending = useStore(store, (state) => state.pending);
  const wanted = pending.filter((one) => one.kind === "duty").at(-1)?.body.on_duty ?? onDuty;
  usePosition(wanted);
  return html`<section class="card duty ${wanted ? "on" : ""}">
    <label><span><b>${t(wanted ? "ui.duty.on" : "ui.duty.off")}</b><small>${t(wanted ? "ui.duty.on-hint" : "ui.duty.off-hint")}</small></span>
      <input type="checkbox" role="switch" aria-label=${t("ui.duty.switch")} data-testid="duty" checked=${wanted} onChange=${(event) => setDuty(event.target.checked)} /><i></i></label>
    ${wanted && "geolocation" in navigator && isSecureContext && html`<button class="big quiet whole" onClick=${() => locate(true)}><${Icon} name="pin" />${t("ui.duty.position")}</button>`}
  </section>`;
}

export function Rest({ onDuty }) {
  return html`<section class="rest"><div class="ring" aria-hidden="true"><${Icon} name="check" size=${34} /></div>
    <h2>${t(onDuty ? "ui.rest.title" : "ui.rest.off")}</h2><p class="dim">${t(onDuty ? "ui.rest.hint" : "ui.duty.off-hint")}</p></section>`;
}

export function Week({ me }) {
  const { offers, accepted, minutes } = me.week;
  return html`<section class="card week"><h3>${t("ui.week.title")}</h3>
    <dl>
      <div><dd>${offers}</dd><dt>${t("ui.week.offers")}</dt></div>
      <div><dd>${accepted}</dd><dt>${t("ui.week.accepted")}</dt></div>
      <div><dd>${minutes}</dd><dt>${t("ui.week.minutes")}</dt></div>
      <div><dd>${me.thanks}</dd><dt>${t("ui.week.thanks")}</dt></div>
    </dl>
    <p class="dim"><${Icon} name="heart" /> ${t(me.thanks ? "ui.week.thanks-some" : "ui.week.thanks-none")}</p>
  </section>`;
}

/** A page has no background position: while on duty and in front, and only once allowed, the fix is renewed. */
function usePosition(onDuty) {
  useEffect(() => {
    if (!onDuty || !isSecureContext || !navigator.permissions) return undefined;
    const renew = async () => {
      const { state } = await navigator.permissions.query({ name: "geolocation" });
      if (state === "granted" && document.visibilityState === "visible") locate(false);
    };
    renew().catch(() => null);
    const timer = setInterval(() => renew().catch(() => null), POSITION_EVERY_MS);
    return () => clearInterval(timer);
  }, [onDuty]);
}

function locate(asked) {
  navigator.geolocation.getCurrentPosition(
    ({ coords }) =>
      put("/me/position", { lat: coords.latitude, lon: coords.longitude })
        .then(() => asked && notify(t("ui.duty.position-done")))
        .catch((error) => asked && notify(complaint(error))),
    () => asked && notify(t("ui.duty.position-denied")),
    { enableHighAccuracy: true, maximumAge: 30000, timeout: 10000 },
  );
}
