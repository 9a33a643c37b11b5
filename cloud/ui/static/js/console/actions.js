// What an operator does. Each action shows its result at once and says clearly when it was refused.
import { post } from "../core/api.js";
import { complaint, t } from "../core/i18n.js";
import { notify, store, takeAlarm, takeDetail } from "./state.js";

/** Actions that ask for a word before they happen: they end something or call for others. */
export const NEEDS_WORD = ["call-off", "false-alarm", "escalate", "close", "note"];

/** Key → action. */
export const KEYS = { a: "acknowledge", d: "dispatch", f: "false-alarm", n: "note", e: "escalate", o: "call-off", x: "close" };

/** Begin an action on the selected incident: at once, or with a form. */
export function begin(action) {
  const { detail } = store.get();
  if (!detail?.actions.includes(action)) return;
  if (NEEDS_WORD.includes(action)) store.set({ form: { action } });
  else act(detail.id, action);
}

/** Do it; whether it was done. */
export async function act(incidentId, action, note) {
  const path = action === "note" ? `/incidents/${incidentId}/notes` : `/incidents/${incidentId}/${action}`;
  const body = note ? { note } : {};
  return attempt(async () => {
    takeDetail(await post(path, body));
    store.set({ form: null });
    notify(t("ui.done", { action: t(`cloud.action.${action}`) }));
  });
}

/** Acknowledge an alarm that belongs to no incident. */
export const acknowledgeAlarm = (id) => attempt(async () => takeAlarm(await post(`/alarms/${id}/acknowledge`)));

/** Make something happen in the simulation. */
export function trigger(name, at) {
  return attempt(async () => {
    await post("/simulation/trigger", at ? { name, at } : { name });
    notify(t("ui.simulation.done", { name: t(`ui.trigger.${name}`) }));
  });
}

async function attempt(what) {
  try {
    await what();
    return true;
  } catch (error) {
    notify(complaint(error), true);
    return false;
  }
}
