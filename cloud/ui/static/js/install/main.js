// The installer's phone page: gateways, their devices and places, the walk test.
import { html, render, useState } from "../core/html.js";
import { complaint, named, t } from "../core/i18n.js";
import { begin, homeOf, mayInstall } from "../core/session.js";
import { useStore } from "../core/store.js";
import { followSystem } from "../core/theme.js";
import { Menu } from "../phone/menu.js";
import { Devices } from "./devices.js";
import { chosen, pathOf, start, store } from "./state.js";
import { Strangers } from "./strangers.js";
import { Walk } from "./walk.js";

function App() {
  const [, redraw] = useState(0);
  const state = useStore(store);
  const gateway = chosen(state);
  return html`<div class="phone install">
    <header><h1>${gateway ? named(gateway.name) || gateway.code : t("ui.install.title")}</h1>
      <span class="stream ${state.stream}" data-stream=${state.stream} role="status"><i></i>${t(`ui.stream.${state.stream}`)}</span>
      <${Menu} session=${state.session} onLanguage=${() => redraw((n) => n + 1)} /></header>
    ${state.fault && html`<p class="fault" role="alert" data-testid="fault">${state.fault}</p>`}
    ${gateway && state.shown ? html`<${Gateway} gateway=${gateway} shown=${state.shown} several=${state.gateways.length > 1} />` : html`<${Gateways} gateways=${state.gateways} />`}
  </div>`;
}

function Gateways({ gateways }) {
  if (!gateways) return html`<p class="dim wait">${t("ui.loading")}</p>`;
  if (!gateways.length) return html`<p class="dim wait">${t("ui.install.none")}</p>`;
  return html`<main><ul class="card devices">${gateways.map((one) => html`<li key=${`${one.group}/${one.code}`} data-gateway=${one.code}>
    <a class="big whole" href=${`#${one.group}/${one.code}`}>${named(one.name) || one.code}</a>
    <p>${named(one.place?.full_name) || t("ui.install.nowhere")}</p>
    <p class="dim"><code>${one.group}/${one.code}</code> · ${t(one.online ? "ui.install.online" : "ui.device.offline")} · ${t("ui.install.counted", { count: one.devices })}</p>
    ${one.unplaced + one.to_decide > 0 && html`<p class="warn">${t("ui.install.waiting", { count: Math.max(one.unplaced, one.to_decide) })}</p>`}
    ${one.walk_test && html`<p class="warn">${t(`ui.install.walk-${one.walk_test}-short`)}</p>`}
  </li>`)}</ul></main>`;
}

function Gateway({ gateway, shown, several }) {
  return html`<main>
    <p class="dim">${several && html`<a class="link" href="#">${t("ui.install.all")}</a> · `}${named(gateway.place?.full_name)} · <code>${shown.group}/${shown.code}</code>
      · ${t(shown.online ? "ui.install.online" : "ui.device.offline")}</p>
    <${Walk} shown=${shown} />
    <${Strangers} shown=${shown} />
    <${Devices} shown=${shown} />
    <a class="big whole" download=${`${shown.group}-places.json`} href=${`/api/v1${pathOf(shown)}/places`}>${t("ui.install.download")}</a>
    <p class="dim small">${t("ui.install.download-hint")}</p>
  </main>`;
}

async function main() {
  followSystem("system");
  const root = document.getElementById("root");
  try {
    const session = await begin();
    if (!session) return location.assign("/in");
    if (!mayInstall(session)) return location.assign(homeOf(session));
    start(session);
  } catch (error) {
    root.textContent = complaint(error);
    return setTimeout(() => location.reload(), 5000);
  }
  root.replaceChildren();
  render(html`<${App} />`, root);
  return undefined;
}

main();
