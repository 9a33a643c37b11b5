// Language, theme, sign out.
import { html, useState } from "../core/html.js";
import { LANGUAGES, currentLanguage, t } from "../core/i18n.js";
import { Icon } from "../core/icons.js";
import { changeLanguage, signOut } from "../core/session.js";
import { toggleTheme } from "../core/theme.js";

export function Menu({ session, onLanguage }) {
  const [open, setOpen] = useState(false);
  const other = LANGUAGES.find((language) => language !== currentLanguage());
  const then = (act) => async () => {
    // Before it waits: who opens the menu again meanwhile must not see it shut.
    setOpen(false);
    await act();
    onLanguage();
  };
  return html`<div class="menu">
    <button class="more" aria-label=${t("ui.phone.menu")} aria-expanded=${open} data-testid="menu" onClick=${() => setOpen(!open)}><${Icon} name="more" size=${24} /></button>
    ${open &&
    html`<div class="drop">
      <button lang=${other} data-testid="language" onClick=${then(() => changeLanguage(other))}>${other === "en" ? "English" : "中文"}</button>
      <button data-testid="theme" onClick=${then(() => toggleTheme("system"))}>${t("ui.tool.theme")}</button>
      <button data-testid="sign-out" onClick=${signOut}>${t("ui.menu.sign-out")}</button>
      <p class="dim small">${t("ui.phone.install-hint")}</p>
      <p class="dim small">${t("ui.menu.version", { version: session.version })}</p>
    </div>`}
  </div>`;
}
