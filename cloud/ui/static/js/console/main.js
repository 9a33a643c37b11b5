// The command centre's main screen.
import { html, render, useEffect, useState } from "../core/html.js";
import { complaint, t, word, named } from "../core/i18n.js";
import { begin as beginSession, mayUseConsole } from "../core/session.js";
import { applyTheme } from "../core/theme.js";
import { useStore } from "../core/store.js";
import { BottomBar } from "./bottom.js";
import { Delivery } from "./delivery.js";
import { Device } from "./device.js";
import { Help } from "./help.js";
import { Incident } from "./incident.js";
import { useKeyboard } from "./keyboard.js";
import { MapView } from "./map.js";
import { Calm } from "./calm.js";
import { Queue } from "./queue.js";
import { Simulation } from "./simulation.js";
import { StreamBanner, TopBar } from "./topbar.js";
import { PasswordForm } from "./password.js";
import { notify, start, store } from "./state.js";

export const DEFAULT_THEME = "dark";

/** Panels for quiet hours: their scripts come when somebody opens them. */
const LATER = {
  configuration: () => import("./configuration.js").then((found) => found.Configuration),
  cardholders: () => import("./cardholders.js").then((found) => found.Cardholders),
};

function Later({ load }) {
  const [part, setPart] = useState(null);
  useEffect(() => {
    load().then((found) => setPart(() => found), () => notify(t("ui.error.unreachable"), true));
  }, [load]);
  return part && html`<${part} />`;
}

function App({ onLanguage }) {
  const selected = useStore(store, (state) => state.selected);
  const stream = useStore(store, (state) => state.stream);
  const panel = useStore(store, (state) => state.panel);
  useKeyboard();
  return html`<div class="console ${stream === "lost" ? "stale" : ""}">
    <${TopBar} onLanguage=${onLanguage} />
    <${StreamBanner} />
    <${Queue} />
    <${MapView} />
    <${BottomBar} />
    <aside class="panel side" aria-label=${t("ui.incident.title")}>
      ${selected === null ? html`<${Calm} />` : html`<${Incident} key=${selected} />`}
    </aside>
    ${panel === "simulation" && html`<${Simulation} />`}
    ${panel === "delivery" && html`<${Delivery} />`}
    ${panel?.device && html`<${Device} key=${panel.device} id=${panel.device} />`}
    ${panel === "help" && html`<${Help} />`}
    ${panel === "password" && html`<${PasswordForm} />`}
    ${LATER[panel] && html`<${Later} key=${panel} load=${LATER[panel]} />`}
    <${Voices} />
  </div>`;
}

/** What is said without being looked at: a new P1 to screen readers, results of actions to everyone. */
function Voices() {
  const alarm = useStore(store, (state) => state.announcement);
  const notice = useStore(store, (state) => state.notice);
  const said = alarm ? t("ui.announce", { rule: word("cloud.rule", alarm.rule), place: named(alarm.place?.full_name) }) : "";
  return html`<div class="unseen" role="alert" aria-live="assertive" data-testid="announcement">${said}</div>
    <div class="notices" role="status" aria-live="polite">
      ${notice && html`<p class="notice ${notice.bad ? "bad" : ""}" data-testid="notice">${notice.text}</p>`}
    </div>`;
}

function Root() {
  const [, redraw] = useState(0);
  useEffect(() => {
    document.title = t("ui.console.title");
  });
  return html`<${App} onLanguage=${() => redraw((n) => n + 1)} />`;
}

async function main() {
  applyTheme(DEFAULT_THEME);
  const root = document.getElementById("root");
  try {
    const session = await beginSession();
    if (!session) return location.assign("/in");
    if (!mayUseConsole(session)) return location.assign("/phone");
    store.set({ session });
    await start();
    root.replaceChildren();
    render(html`<${Root} />`, root);
  } catch (error) {
    root.textContent = complaint(error);
    setTimeout(() => location.reload(), 5000);
  }
}

main();
