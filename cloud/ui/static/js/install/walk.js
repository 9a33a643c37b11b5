// The walk test of a gateway: agree to it or begin it, see how long it lasts and what still sounds, end it.
import { actionId, post } from "../core/api.js";
import { html, useState } from "../core/html.js";
import { t, word } from "../core/i18n.js";
import { Shape } from "../core/severity.js";
import { stopwatch, useNow } from "../core/time.js";
import { fail, load, pathOf, show } from "./state.js";

const LENGTHS = [5, 15, 30, 60];

export function Walk({ shown }) {
  const test = shown.walk_test;
  const state = test?.state ?? "none";
  return html`<section class="card walk ${state}" data-walk=${state}>
    <h2>${t("ui.install.walk")}</h2>
    ${state === "running" ? html`<${Running} shown=${shown} test=${test} />` : html`<${Begin} key=${test?.id} shown=${shown} test=${test} />`}
  </section>`;
}

function Begin({ shown, test }) {
  const [minutes, setMinutes] = useState(test?.minutes ?? 15);
  const [id] = useState(() => test?.id ?? actionId());
  const [sure, setSure] = useState(false);
  const begin = () => post(`${pathOf(shown)}/walk-test`, { minutes, action_id: id }).then(show, (error) => (fail(error), load()));
  return html`<p>${test ? t("ui.install.walk-asked", { minutes: test.minutes }) : t("ui.install.walk-about")}</p>
    ${!test && html`<div class="lengths" role="group" aria-label=${t("ui.install.walk-length")}>
      ${LENGTHS.map((one) => html`<button key=${one} class="big" aria-pressed=${one === minutes} onClick=${() => setMinutes(one)}>${t("ui.time.minutes", { n: one })}</button>`)}</div>`}
    ${sure
      ? html`<p class="warn" role="alert">${t("ui.install.walk-sure", { gateway: shown.code, minutes })}</p>
        <div class="choice"><button class="big" onClick=${() => setSure(false)}>${t("ui.cancel")}</button>
          <button class="big go" data-testid="walk-sure" onClick=${begin}>${t("ui.install.walk-begin")}</button></div>`
      : html`<button class="big go whole" data-testid="walk-begin" onClick=${() => setSure(true)}>${t(test ? "ui.install.walk-agree" : "ui.install.walk-begin")}</button>`}
    ${test && !sure && html`<${Stop} shown=${shown} label=${t("ui.install.walk-refuse")} />`}`;
}

function Running({ shown, test }) {
  const left = Date.parse(test.due_at) - useNow();
  const sounding = test.alarms.filter((one) => one.active);
  const name = (id) => shown.devices.find((one) => one.id === id)?.code ?? "";
  return html`<p class="left" role="timer"><b>${stopwatch(left)}</b> ${t("ui.install.walk-left")}</p>
    <p>${t("ui.install.walk-running", { ticked: shown.devices.filter((one) => one.tick).length, all: shown.devices.length })}</p>
    ${sounding.length > 0 && html`<div class="warn" role="alert"><p>${t("ui.install.walk-sounding")}</p>
      <ul>${sounding.map((one) => html`<li key=${one.id} class=${one.severity}><span class="chip outline ${one.severity}"><${Shape} severity=${one.severity} />${one.severity}</span>
        ${word("cloud.rule", one.rule)} · ${name(one.device_id)}</li>`)}</ul></div>`}
    <${Stop} shown=${shown} label=${t("ui.install.walk-end")} />`;
}

function Stop({ shown, label }) {
  const [busy, setBusy] = useState(false);
  const stop = () => {
    setBusy(true);
    post(`${pathOf(shown)}/walk-test/stop`).then(load, fail).finally(() => setBusy(false));
  };
  return html`<button class="big whole" data-testid="walk-stop" disabled=${busy} onClick=${stop}>${label}</button>`;
}
