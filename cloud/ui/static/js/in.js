// Sign-in: by a one-time link whose token stands behind `#` (it never reaches a log), or by name and password.
import { post } from "./core/api.js";
import { html, render, useEffect, useState } from "./core/html.js";
import { LANGUAGES, complaint, currentLanguage, loadLanguage, preferredLanguage, t } from "./core/i18n.js";
import { homeOf } from "./core/session.js";
import { followSystem } from "./core/theme.js";

function Door({ token }) {
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);
  const [linking, setLinking] = useState(Boolean(token));
  const [, redraw] = useState(0);
  const enter = async (path, body) => {
    setBusy(true);
    try {
      location.replace(homeOf(await post(path, body)));
    } catch (error) {
      setFault(complaint(error));
      setLinking(false);
      setBusy(false);
    }
  };
  useEffect(() => {
    if (token) enter("/session/link", { token });
  }, []);
  useEffect(() => {
    document.title = t("ui.in.title");
  });
  const send = (event) => {
    event.preventDefault();
    const { login, password } = Object.fromEntries(new FormData(event.target));
    enter("/session", { login, password });
  };
  const other = LANGUAGES.find((one) => one !== currentLanguage());
  return html`<main class="door panel">
    <div class="head"><img src="/static/icons/icon.svg" alt="" /><div><h1>${t("ui.in.heading")}</h1><p class="dim">${t("ui.in.subtitle")}</p></div></div>
    ${fault && html`<p class="fault" role="alert" data-testid="fault">${fault}</p>`}
    ${linking
      ? html`<p role="status">${t("ui.in.link")}</p>`
      : html`<form class="form" onSubmit=${send}>
          <label>${t("ui.in.login")}<input name="login" autocomplete="username" autocapitalize="none" required maxlength="63" /></label>
          <label>${t("ui.in.password")}<input name="password" type="password" autocomplete="current-password" required maxlength="1000" /></label>
          <button class="act primary" disabled=${busy}>${t("ui.in.enter")}</button>
        </form>`}
    <div class="foot"><span class="dim">${t("ui.in.hint")}</span>
      <button class="tool" lang=${other} onClick=${() => loadLanguage(other).then(() => redraw((n) => n + 1))}>${other === "en" ? "English" : "中文"}</button></div>
  </main>`;
}

async function main() {
  followSystem("system");
  const token = location.hash.slice(1);
  // A used token must not stay in the address or in the history.
  if (token) history.replaceState(null, "", "/in");
  // A link opened while this page is open changes only what stands behind `#`.
  addEventListener("hashchange", () => location.hash.length > 1 && location.reload());
  await loadLanguage(preferredLanguage()).catch(() => null);
  const root = document.getElementById("root");
  root.replaceChildren();
  render(html`<${Door} token=${token} />`, root);
}

main();
