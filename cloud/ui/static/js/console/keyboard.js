// Everything by keyboard: j/k or arrows in the queue, letters for the actions of the selected incident.
import { useEffect } from "../core/html.js";
import { KEYS, begin } from "./actions.js";
import { queueRows } from "./derived.js";
import { select, store } from "./state.js";

const STEPS = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };

export function useKeyboard() {
  useEffect(() => {
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") return escape();
  if (event.target.closest?.("input, textarea, select")) return;
  if (event.key.startsWith("Arrow") && event.target.closest?.(".leaflet-container")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key in STEPS) step(STEPS[key]);
  else if (key in KEYS) begin(KEYS[key]);
  else if (key === "?") store.set(({ panel }) => ({ panel: panel === "help" ? null : "help" }));
  else return;
  event.preventDefault();
}

/** The nearest thing that is open closes. */
function escape() {
  const { form, panel, focusPlace } = store.get();
  const menu = document.querySelector("details.menu[open]");
  if (menu) menu.open = false;
  else if (form) store.set({ form: null });
  else if (panel) store.set({ panel: null });
  else if (focusPlace) store.set({ focusPlace: null });
  else select(null);
}

function step(by) {
  const state = store.get();
  const ids = queueRows(state).map((row) => row.alarm.incident_id).filter((id) => id !== null);
  if (!ids.length) return;
  const at = ids.indexOf(state.selected);
  select(ids[at < 0 ? (by > 0 ? 0 : ids.length - 1) : Math.min(ids.length - 1, Math.max(0, at + by))]);
}
