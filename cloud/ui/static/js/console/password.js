// A new password for the person.
import { put } from "../core/api.js";
import { html, useState } from "../core/html.js";
import { complaint, t } from "../core/i18n.js";
import { Drawer } from "./help.js";
import { notify, store } from "./state.js";

export function PasswordForm() {
  const [password, setPassword] = useState("");
  const [fault, setFault] = useState("");
  const save = async (event) => {
    event.preventDefault();
    try {
      await put("/session/password", { password });
      store.set({ panel: null });
      notify(t("ui.password.saved"));
    } catch (error) {
      setFault(complaint(error));
    }
  };
  return html`<${Drawer} title=${t("ui.menu.password")} test="password">
    <form onSubmit=${save} class="form">
      <label>${t("ui.password.new")}
        <input type="password" autocomplete="new-password" required value=${password} onInput=${(event) => setPassword(event.target.value)} />
      </label>
      ${fault && html`<p class="fault" role="alert">${fault}</p>`}
      <p class="dim">${t("ui.password.hint")}</p>
      <button class="act primary">${t("ui.password.save")}</button>
    </form>
  <//>`;
}
