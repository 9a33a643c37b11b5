// What an operator lets a door or a siren do from afar: ask first, then show what became of it.
import { actionId, post } from "../core/api.js";
import { html, useState } from "../core/html.js";
import { complaint, currentLanguage, named, t, word } from "../core/i18n.js";
import { useStore } from "../core/store.js";
import { useNow } from "../core/time.js";
import { notify, store, takeCommand } from "./state.js";

const SHOWN_MS = 60000;
const OPEN = ["queued", "sent"];

/** Changes nothing, so nobody is asked twice. */
const HARMLESS = ["read"];

/** What can be asked of a device in its present state: [name, output, value]. */
function choices({ type, latest, reads }) {
  const holds = (metric) => Boolean(latest?.[metric]?.value);
  const read = reads ? [["read", "read", true]] : [];
  if (type === "door") {
    return [...(holds("released") ? [["restore", "restore", true]] : [["unlock", "unlock", true], ["release", "release", true]]), ...read];
  }
  return type === "siren" && holds("sounding") ? [["silence", "sound", false], ...read] : read;
}

/** The buttons of one device, the question, and the newest command. */
export function Commands({ device }) {
  const [asked, setAsked] = useState(null);
  const newest = useStore(store, (state) => state.commands[device.id]);
  const moment = useNow(5000);
  const busy = OPEN.includes(newest?.state);
  const possible = device.online && device.gateway.online ? choices(device) : [];
  const chosen = possible.find(([name]) => name === asked);
  const shown = newest && (busy || moment - Date.parse(newest.created_at) < SHOWN_MS);
  if (!possible.length && !shown) return null;
  return html`<div class="commands" onClick=${(event) => event.stopPropagation()}>
    ${chosen
      ? html`<${Question} device=${device} choice=${chosen} onEnd=${() => setAsked(null)} />`
      : possible.map(([name]) => html`<button key=${name} class="act" data-command=${name} disabled=${busy}
          aria-label=${`${named(device.name)}: ${t(`ui.command.${name}`)}`} onClick=${() => (HARMLESS.includes(name) ? order(device.id, name, true) : setAsked(name))}>${t(`ui.command.${name}`)}</button>`)}
    ${shown && html`<small role="status" class=${`outcome ${newest.state}`} data-state=${newest.state}>${outcome(newest)}</small>`}
  </div>`;
}

function Question({ device, choice: [name, output, value], onEnd }) {
  const give = () => {
    onEnd();
    order(device.id, output, value);
  };
  return html`<div class="question" role="group">
    <span>${t(`ui.command.ask.${name}`, { device: named(device.name) })}</span>
    <button class="act primary" data-yes onClick=${give}>${t(`ui.command.${name}`)}</button>
    <button class="act" ref=${(button) => button?.focus()} onClick=${onEnd}>${t("ui.cancel")}</button>
  </div>`;
}

/** A tap has one id: when the answer is lost on the way, the same id is sent once more and is the same command. */
async function order(deviceId, output, value) {
  const body = { output, value, action_id: actionId() };
  const path = `/devices/${deviceId}/commands`;
  try {
    takeCommand(await post(path, body).catch((error) => {
      if (error.status !== 0) throw error;
      return post(path, body);
    }));
  } catch (error) {
    notify(complaint(error), true);
  }
}

function outcome({ output, value, state, error }) {
  const name = output === "sound" && value === false ? "silence" : output;
  const told = error ? (error.sentence?.[currentLanguage()] ?? error.code) : "";
  return [`${word("ui.command", name)}: ${word("ui.command.state", state)}`, told].filter(Boolean).join(" – ");
}
