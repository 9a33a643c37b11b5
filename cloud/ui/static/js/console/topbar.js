// The line at the top: what is open, who is there, what is offline, the time, and what belongs to the person.
import { html, useEffect, useState } from "../core/html.js";
import { LANGUAGES, currentLanguage, named, t, word } from "../core/i18n.js";
import { SEVERITIES, Shape } from "../core/severity.js";
import { changeLanguage, mayInstall, signOut } from "../core/session.js";
import { call, isSoundOn, silence, toggleSound } from "../core/sound.js";
import { useStore } from "../core/store.js";
import { currentTheme, toggleTheme } from "../core/theme.js";
import { clockTime, dayName, duration, useNow } from "../core/time.js";
import { counts } from "./derived.js";
import { Icon } from "../core/icons.js";
import { store } from "./state.js";

const DEFAULT_THEME = "dark";

export function TopBar({ onLanguage }) {
  const state = useStore(store);
  const { open, unacknowledged, onDuty } = counts(state);
  const { gateways, devices, mode } = state.overview;
  const street = state.places.find((place) => place.kind === "street");
  const unplaced = state.devices.filter((one) => !one.place).length;
  const gatewaysOff = gateways.total - gateways.online;
  return html`<header class="top panel">
    <div class="brand"><b>${t("ui.brand")}</b><span>${named(street?.name)}</span></div>
    <div class="counters" role="group" aria-label=${t("ui.top.open")}>
      ${SEVERITIES.map(
        (severity) => html`<button key=${severity} class="counter sev ${severity} ${open[severity] ? "some" : ""}"
          aria-pressed=${state.severity === severity} title=${t("ui.top.filter", { severity: word("cloud.severity", severity) })}
          data-open=${severity} onClick=${() => toggleSeverity(severity)}>
          <${Shape} severity=${severity} size=${14} /><b>${open[severity]}</b><span>${severity}</span>
        </button>`,
      )}
    </div>
    <${Figure} value=${unacknowledged} label=${t("ui.top.unacknowledged")} tone=${unacknowledged ? "loud" : ""} test="unacknowledged" />
    <${Figure} value=${`${onDuty}/${state.responders.length}`} label=${t("ui.top.on-duty")} tone=${onDuty ? "" : "warn"} test="on-duty" />
    <${Figure} value=${gatewaysOff} label=${t("ui.top.gateways-offline")} tone=${gatewaysOff ? "warn" : ""} test="gateways-offline" />
    <${Figure} value=${`${devices.online}/${devices.total}`} label=${t("ui.top.devices")} test="devices" />
    ${unplaced > 0 && html`<a class="figure warn" href="/install" data-figure="unplaced" title=${t("ui.top.unplaced-long")}><b>${unplaced}</b><span>${t("ui.top.unplaced")}</span></a>`}
    <div class="figure mode"><b>${word("cloud.mode", mode)}</b><span>${t("ui.top.mode")}</span></div>
    <span class="push"></span>
    <${Clock} />
    <${StreamState} />
    <${Tools} onLanguage=${onLanguage} />
  </header>`;
}

function Figure({ value, label, tone = "", test }) {
  return html`<div class="figure ${tone}" data-figure=${test}><b>${value}</b><span>${label}</span></div>`;
}

function Clock() {
  const at = useNow();
  return html`<div class="clock"><b>${clockTime(at)}</b><span>${dayName(at)}</span></div>`;
}

function StreamState() {
  const stream = useStore(store, (state) => state.stream);
  return html`<span class="stream ${stream}" data-stream=${stream}><i></i>${t(`ui.stream.${stream}`)}</span>`;
}

/** Said loudly: a lost stream (what is on the screen is old, and how old), and a cloud that lags (alarms may be late). */
export function StreamBanner() {
  const lostAt = useStore(store, (state) => state.lostAt);
  const lag = useStore(store, (state) => state.lag);
  const at = useNow();
  if (lostAt === null && lag === null) return null;
  if (lostAt === null) return html`<div class="lost" role="alert" data-testid="lag">${t("cloud.lag.late", { seconds: lag })}</div>`;
  return html`<div class="lost" role="alert">${t("ui.stream.lost-long", { at: clockTime(lostAt), age: duration(at - lostAt) })}</div>`;
}

function Tools({ onLanguage }) {
  const session = useStore(store, (state) => state.session);
  const [, redraw] = useState(0);
  const again = () => redraw((n) => n + 1);
  const other = LANGUAGES.find((language) => language !== currentLanguage());
  const theme = currentTheme(DEFAULT_THEME);
  useAlarmSound();
  return html`<div class="tools">
    ${session.simulation &&
    html`<button class="tool wide" data-testid="simulation" onClick=${() => togglePanel("simulation")}>
      <${Icon} name="spark" />${t("ui.simulation.open")}
    </button>`}
    <button class="tool" title=${t("ui.cardholders.title")} aria-label=${t("ui.cardholders.title")} data-testid="open-cardholders"
      onClick=${() => togglePanel("cardholders")}><${Icon} name="key" /></button>
    <button class="tool ${isSoundOn() ? "on" : ""}" aria-pressed=${isSoundOn()} title=${t("ui.tool.sound")} aria-label=${t("ui.tool.sound")}
      onClick=${() => toggleSound().then(again)}><${Icon} name=${isSoundOn() ? "sound" : "mute"} /></button>
    <button class="tool" title=${t("ui.tool.theme")} aria-label=${t("ui.tool.theme")} data-testid="theme"
      onClick=${() => (toggleTheme(DEFAULT_THEME), again())}><${Icon} name=${theme === "dark" ? "sun" : "moon"} /></button>
    <button class="tool" lang=${other} data-testid="language" title=${t("ui.tool.language")}
      onClick=${() => changeLanguage(other).then(onLanguage)}>${other === "en" ? "EN" : "中"}</button>
    <button class="tool" title=${t("ui.tool.help")} aria-label=${t("ui.tool.help")} onClick=${() => togglePanel("help")}>?</button>
    <details class="menu">
      <summary class="tool wide" data-testid="person">${named(session.person.name)}</summary>
      <div class="drop panel">
        <p class="dim">${session.roles.map(({ role, place }) => `${word("cloud.role", role)} · ${named(place.name)}`).join("、")}</p>
        ${mayInstall(session) && html`<button data-testid="install" onClick=${() => location.assign("/install")}>${t("ui.menu.install")}</button>`}
        <button onClick=${() => togglePanel("password")}>${t("ui.menu.password")}</button>
        <button onClick=${signOut} data-testid="sign-out">${t("ui.menu.sign-out")}</button>
        <p class="dim small">${t("ui.menu.version", { version: session.version })}</p>
      </div>
    </details>
  </div>`;
}

/** Sound for unacknowledged P1 only. */
function useAlarmSound() {
  const urgent = useStore(store, ({ alarms }) => alarms.some((one) => one.severity === "P1" && one.active && !one.acknowledged));
  useEffect(() => {
    if (urgent && isSoundOn()) call();
    else silence();
  }, [urgent, isSoundOn()]);
}

function togglePanel(panel) {
  for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = false;
  store.set((state) => ({ panel: state.panel === panel ? null : panel }));
}

function toggleSeverity(severity) {
  store.set((state) => ({ severity: state.severity === severity ? null : severity, queue: "people" }));
}
