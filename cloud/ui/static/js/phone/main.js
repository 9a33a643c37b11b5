// The phone of a volunteer or grid worker.
import { ApiError } from "../core/api.js";
import { html, render, useEffect, useState } from "../core/html.js";
import { complaint, named, t } from "../core/i18n.js";
import { recall, remember } from "../core/memory.js";
import { adopt, begin, mayUsePhone } from "../core/session.js";
import { useStore } from "../core/store.js";
import { followSystem } from "../core/theme.js";
import { Menu } from "./menu.js";
import { Messages, Offers } from "./offers.js";
import { Duty, Rest, Unsynced, Week } from "./parts.js";
import { start, store } from "./state.js";
import { Task } from "./task.js";

function App() {
  const [, redraw] = useState(0);
  const session = useStore(store, (state) => state.session);
  const me = useStore(store, (state) => state.me);
  const stream = useStore(store, (state) => state.stream);
  const notice = useStore(store, (state) => state.notice);
  useEffect(() => {
    const open = me?.offers.filter((one) => one.state === "offered").length ?? 0;
    document.title = (open ? `(${open}) ` : "") + t("ui.phone.title");
  });
  return html`<div class="phone">
    <header><h1>${t("ui.phone.hello", { name: named(session.person.name) })}</h1>
      <span class="stream ${stream}" data-stream=${stream} role="status"><i></i>${t(`ui.stream.${stream}`)}</span>
      <${Menu} session=${session} onLanguage=${() => redraw((n) => n + 1)} /></header>
    <${Unsynced} />
    ${me ? html`<${Body} me=${me} />` : html`<p class="dim wait">${t("ui.loading")}</p>`}
    <div class="notices" role="status">${notice && html`<p class="notice" data-testid="notice">${notice.text}</p>`}</div>
  </div>`;
}

function Body({ me }) {
  const busy = me.assignment !== null && me.assignment.ended_at === null;
  const asked = me.offers.some((one) => one.state === "offered");
  return html`<main>
    ${me.assignment && html`<${Task} assignment=${me.assignment} />`}
    <${Offers} offers=${me.offers} />
    ${!busy && !asked && html`<${Messages} offers=${me.offers} />`}
    ${!busy && !asked && html`<${Rest} onDuty=${me.responder.on_duty} />`}
    <${Duty} onDuty=${me.responder.on_duty} />
    <${Week} me=${me} />
  </main>`;
}

async function main() {
  followSystem("system");
  const root = document.getElementById("root");
  let session;
  try {
    session = await begin();
    if (!session) return location.assign("/in");
    if (!mayUsePhone(session)) return location.assign("/console");
    remember("phone.session", session);
  } catch (error) {
    session = recall("phone.session");
    const away = error instanceof ApiError && error.isTemporary;
    if (!away || !session) {
      root.textContent = complaint(error);
      return setTimeout(() => location.reload(), 5000);
    }
    await adopt({ ...session, server_time: null });
  }
  start(session);
  root.replaceChildren();
  render(html`<${App} />`, root);
  // Only over HTTPS or on this machine itself; without it the page works, but not in a dead spot.
  navigator.serviceWorker?.register("/sw.js").catch(() => null);
  return undefined;
}

main();
