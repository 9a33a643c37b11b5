// The outputs of a device: for each what was wanted, what the device reports, when, and a way to write it.
import { get } from "../core/api.js";
import { html, useEffect, useState } from "../core/html.js";
import { named, t, word } from "../core/i18n.js";
import { useStore } from "../core/store.js";
import { ago, useNow } from "../core/time.js";
import { Commands, Question, isOffered, isReachable, order, outputName, reason, reported } from "./commands.js";
import { store } from "./state.js";
import { unitName, valueText } from "./values.js";

const MOST = 100;
const OPEN = ["queued", "sent"];

/** A value of an output as people read it: a tap by its name, a text as it is. */
function written({ form, name, metric, unit }, value) {
  if (form === "tap") return outputName(name);
  return form === "switch" ? t(value ? "ui.output.on" : "ui.output.off") : valueText(metric ?? name, value, unit);
}

export function Outputs({ device }) {
  const newest = useStore(store, (state) => state.commands[device.id]);
  const [wanted, setWanted] = useState({});
  useNow(10000);
  useEffect(() => {
    let isCurrent = true;
    get(`/devices/${device.id}/commands?limit=${MOST}`).then((rows) => isCurrent && setWanted(Object.fromEntries(rows.reverse().map((one) => [one.output, one]))), () => null);
    return () => { isCurrent = false; };
  }, [device.id, newest?.id, newest?.state]);
  const [told, silent] = [(one) => one.metric && one.form !== "tap", (one) => !one.metric].map((kind) => device.outputs.filter(kind));
  if (!device.outputs.length && !device.reads) return null;
  const row = (one) => html`<${Output} key=${one.name} device=${device} output=${one} wanted=${wanted[one.name]} />`;
  return html`<section class="outputs" data-testid="outputs"><h3>${t("ui.output.title")}</h3>
    ${!isReachable(device) && html`<p class="dim">${t("ui.output.away")}</p>`}
    <${Commands} device=${device} isWhole />
    ${told.length > 0 && html`<ul>${told.map(row)}</ul>`}
    ${silent.length > 0 && html`<details><summary>${t("ui.output.silent", { count: silent.length })}</summary><p class="dim">${t("ui.output.silent-hint")}</p><ul>${silent.map(row)}</ul></details>`}
  </section>`;
}

function Output({ device, output, wanted }) {
  const [asked, setAsked] = useState(null);
  const now = reported(device, output);
  const isFree = isReachable(device) && isOffered(device, output) && !OPEN.includes(wanted?.state);
  const before = now ? written(output, now.value) : "–";
  const name = outputName(output.name);
  const params = { device: named(device.name) || device.code, output: name, value: asked === null ? "" : written(output, asked), before };
  const sentence = output.form === "tap" ? "ui.output.ask-tap" : now ? "ui.output.ask" : "ui.output.ask-blind";
  return html`<li data-output=${output.name} data-agrees=${agrees(output, wanted, now)}>
    <b>${name}</b>
    ${output.metric && html`<span class="now" data-reported>${now ? html`<small>${t("ui.output.reported")}</small> ${before} <small>${ago(now.at)}</small>` : html`<small>${t("ui.output.unheard")}</small>`}</span>`}
    ${asked !== null
      ? html`<${Question} text=${t(sentence, params)} act=${output.form === "tap" ? name : t("ui.output.set")} onYes=${() => order(device.id, output.name, asked)} onEnd=${() => setAsked(null)} />`
      : isFree && html`<${Ways} output=${output} now=${now} name=${name} onAsk=${setAsked} />`}
    ${wanted && html`<small class=${`outcome ${wanted.state}`} role="status" data-state=${wanted.state}>${told(output, wanted, now)}</small>`}
  </li>`;
}

/** How an output is written: one button, a pair of them, or a field. */
function Ways({ output, now, name, onAsk }) {
  if (output.form === "tap") return html`<span class="buttons"><button class="act" data-set onClick=${() => onAsk(true)}>${name}</button></span>`;
  if (output.form !== "switch") return html`<${Field} output=${output} now=${now} name=${name} onAsk=${onAsk} />`;
  return html`<span class="buttons" role="group" aria-label=${name}>${[true, false].map((value) => html`<button key=${value} class="act" data-set=${value}
    aria-pressed=${now ? now.value === value : undefined} onClick=${() => onAsk(value)}>${written(output, value)}</button>`)}</span>`;
}

function Field({ output, now, name, onAsk }) {
  const { form, low, high } = output;
  const unit = unitName(output.unit);
  const [text, setText] = useState(null);
  const [fault, setFault] = useState("");
  const isNumber = form === "number";
  const range = [low, high].every((one) => typeof one === "number") ? t("ui.output.range", { low, high, unit }) : "";
  const shown = text ?? (isNumber && now ? String(Number(now.value.toFixed(3))) : "");
  const ask = (event) => {
    event.preventDefault();
    const value = isNumber ? Number(shown.trim().replace(",", ".")) : shown.trim();
    if (shown.trim() === "" || Number.isNaN(value)) return setFault(t(isNumber ? "ui.output.no-number" : "ui.output.no-text"));
    if (isNumber && (value < (low ?? -Infinity) || value > (high ?? Infinity))) return setFault(t("ui.output.outside", { range: range || `${low ?? ""} – ${high ?? ""} ${unit}` }));
    setFault("");
    return onAsk(value);
  };
  return html`<form class="buttons" onSubmit=${ask} noValidate>
      <input inputmode=${isNumber ? "decimal" : "text"} aria-label=${name} aria-invalid=${Boolean(fault)} value=${shown} placeholder=${isNumber ? "" : word("ui.output.example", output.name)} onInput=${(event) => setText(event.target.value)} />
      ${unit && html`<span>${unit}</span>`}<button class="act" data-set>${t("ui.output.set")}</button></form>
    ${fault ? html`<small class="fault" role="alert">${fault}</small>` : range && html`<small class="range">${range}</small>`}`;
}

/** yes, no, or nothing: whether the device reports what was wanted last, and done. */
function agrees(output, wanted, now) {
  if (wanted?.state !== "done" || !now || output.form === "tap") return "";
  return written(output, wanted.value) === written(output, now.value) ? "yes" : "no";
}

/** Who wanted what, when, and what became of it. */
function told(output, wanted, now) {
  const params = { value: written(output, wanted.value), person: named(wanted.person.name), ago: ago(wanted.created_at), state: word("ui.command.state", wanted.state) };
  const differs = agrees(output, wanted, now) === "no" && Date.parse(now.at) > Date.parse(wanted.answered_at ?? wanted.created_at);
  return [t("ui.output.wanted", params), reason(wanted.error), differs && t("ui.output.differs")].filter(Boolean).join(" – ");
}
