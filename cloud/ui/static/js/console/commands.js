// What a person lets a device do from afar: ask first, then show what became of it.
import { actionId, post } from "../core/api.js";
import { html, useState } from "../core/html.js";
import { complaint, currentLanguage, hasSentence, named, t, word } from "../core/i18n.js";
import { useStore } from "../core/store.js";
import { useNow } from "../core/time.js";
import { notify, openDevice, store, takeCommand } from "./state.js";

const SHOWN_MS = 60000;
const OPEN = ["queued", "sent"];

/** Outputs that are offered beside the device; the others, and what each reports, are in its panel. */
const FIRST = ["restore", "unlock", "release"];

/** Changes nothing, so nobody is asked twice. */
const HARMLESS = ["read"];

/** Whether the device can be asked for anything now. */
export const isReachable = (device) => device.online && device.gateway.online;

/** What an output last reported: `{value, at, unit}`, or undefined. */
export const reported = (device, { metric }) => device.latest?.[metric];

/** Whether a tap makes sense in the device's present state. */
export const isOffered = (device, output) => output.while === undefined || Boolean(reported(device, output)?.value) === output.while;

/** What can be asked of a device at once: [name, output, value]. */
function choices(device) {
  const taps = device.outputs.filter((one) => FIRST.includes(one.name) && isOffered(device, one));
  const sounding = device.outputs.some((one) => one.name === "sound" && reported(device, one)?.value);
  return [
    ...taps.map(({ name }) => [name, name, true]),
    ...(sounding ? [["silence", "sound", false]] : []),
    ...(device.reads ? [["read", "read", true]] : []),
  ];
}

/** The buttons of one device, the question, and the newest command. `isWhole`: among all outputs, where each tells its own. */
export function Commands({ device, isWhole = false }) {
  const [asked, setAsked] = useState(null);
  const newest = useStore(store, (state) => state.commands[device.id]);
  const moment = useNow(5000);
  const busy = OPEN.includes(newest?.state);
  const possible = isReachable(device) ? choices(device) : [];
  const chosen = possible.find(([name]) => name === asked);
  const isHere = newest && (!isWhole || newest.output === "read" || FIRST.includes(newest.output));
  const shown = isHere && (busy || moment - Date.parse(newest.created_at) < SHOWN_MS);
  const more = !isWhole && possible.length > 0 && device.outputs.some(({ metric, form }) => metric && form !== "tap");
  if (!possible.length && !shown) return null;
  return html`<div class="commands" onClick=${(event) => event.stopPropagation()}>
    ${chosen
      ? html`<${Question} text=${t(`ui.command.ask.${chosen[0]}`, { device: named(device.name) })} act=${t(`ui.command.${chosen[0]}`)}
          onYes=${() => order(device.id, chosen[1], chosen[2])} onEnd=${() => setAsked(null)} />`
      : possible.map(([name]) => html`<button key=${name} class="act" data-command=${name} disabled=${busy}
          aria-label=${`${named(device.name)}: ${t(`ui.command.${name}`)}`} onClick=${() => (HARMLESS.includes(name) ? order(device.id, name, true) : setAsked(name))}>${t(`ui.command.${name}`)}</button>`)}
    ${more && !chosen && html`<button class="act" data-command="set" aria-label=${`${named(device.name)}: ${t("ui.output.set-more")}`} onClick=${() => openDevice(device.id)}>${t("ui.output.set-more")}</button>`}
    ${shown && html`<small role="status" class=${`outcome ${newest.state}`} data-state=${newest.state}>${outcome(newest)}</small>`}
  </div>`;
}

/** Sure? The way back has the keyboard. */
export function Question({ text, act, onYes, onEnd }) {
  return html`<div class="question" role="group">
    <span>${text}</span>
    <button type="button" class="act primary" data-yes onClick=${() => (onEnd(), onYes())}>${act}</button>
    <button type="button" class="act" ref=${(button) => button?.focus()} onClick=${onEnd}>${t("ui.cancel")}</button>
  </div>`;
}

/** A tap has one id: when the answer is lost on the way, the same id is sent once more and is the same command. */
export async function order(deviceId, output, value) {
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

/** An output as people call it: by its metric when it has that name. */
export const outputName = (name) => (hasSentence(`cloud.metric.${name}`) ? word("cloud.metric", name) : word("ui.command", name));

/** What became of a command, with the gateway's reason. */
export function outcome({ output, value, state, error }) {
  const name = output === "sound" && value === false ? word("ui.command", "silence") : outputName(output);
  return [`${name}: ${word("ui.command.state", state)}`, reason(error)].filter(Boolean).join(" – ");
}

/** Why a gateway did not, in its own sentence. */
export const reason = (error) => (error ? (error.sentence?.[currentLanguage()] ?? error.code) : "");
