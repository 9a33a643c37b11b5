// The keys, and a drawer that every small panel uses.
import { html, useEffect, useRef } from "../core/html.js";
import { t } from "../core/i18n.js";
import { Icon } from "../core/icons.js";
import { store } from "./state.js";

const KEYS = [
  ["j", "k", "↑", "↓", "ui.help.move"],
  ["A", "cloud.action.acknowledge"],
  ["D", "cloud.action.dispatch"],
  ["N", "cloud.action.note"],
  ["F", "cloud.action.false-alarm"],
  ["E", "cloud.action.escalate"],
  ["O", "cloud.action.call-off"],
  ["X", "cloud.action.close"],
  ["Esc", "ui.help.back"],
  ["?", "ui.help.title"],
];

export function Drawer({ title, children, test }) {
  const first = useRef(null);
  useEffect(() => {
    const before = document.activeElement;
    first.current?.focus();
    return () => before?.isConnected && before.focus();
  }, []);
  return html`<div class="drawer panel" role="dialog" aria-label=${title} data-testid=${test}>
    <header><h2>${title}</h2>
      <button ref=${first} class="tool" aria-label=${t("ui.close")} onClick=${() => store.set({ panel: null })}><${Icon} name="close" /></button>
    </header>
    ${children}
  </div>`;
}

export function Help() {
  return html`<${Drawer} title=${t("ui.help.title")} test="help">
    <dl class="keys">
      ${KEYS.map((row) => {
        const [sentence] = row.slice(-1);
        return html`<div key=${sentence}><dt>${row.slice(0, -1).map((key) => html`<kbd key=${key}>${key}</kbd>`)}</dt><dd>${t(sentence)}</dd></div>`;
      })}
    </dl>
    <p class="dim">${t("ui.help.shapes")}</p>
  <//>`;
}
