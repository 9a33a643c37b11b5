// Who may open which door: the people of a place, by their cards; added, switched off, given an end, imported.
import { call, get, post, put } from "../core/api.js";
import { html, useEffect, useState } from "../core/html.js";
import { complaint, currentLanguage, named, t, word } from "../core/i18n.js";
import { useStore } from "../core/store.js";
import { Drawer } from "./help.js";
import { Week } from "./hours.js";
import { Holidays, Schedules } from "./schedules.js";
import { Sheet } from "./sheet.js";
import { notify, store } from "./state.js";

const KINDS = ["community", "estate", "building"];
const PAGE = 100;
const BLANK = { code: "", name: "", cards: "", duress_cards: "", doors: [], schedule: "", valid_from: "", valid_until: "", passback_exempt: false, enabled: true };

const path = (code) => `/access/cardholders/${encodeURIComponent(code)}`;
const words = (text) => text.split(/\s+/).filter(Boolean);

/** Where to begin: the estate of the first door. */
function firstOf(places) {
  const all = store.get().places;
  const door = store.get().devices.find(({ type, place }) => type === "door" && place);
  const there = all.find(({ id }) => id === door?.place.id)?.path ?? "";
  const around = places.filter(({ path: above }) => `${there}/`.startsWith(`${above}/`));
  return (around.find(({ kind }) => kind === "estate") ?? around[0] ?? places[0])?.path ?? "";
}

export function Cardholders() {
  const places = useStore(store, (state) => state.places).filter(({ kind }) => KINDS.includes(kind));
  const changes = useStore(store, (state) => state.setChanges);
  const [place, setPlace] = useState(() => firstOf(places));
  const [text, setText] = useState("");
  const [limit, setLimit] = useState(PAGE);
  const [shown, setShown] = useState(null);
  const [edited, setEdited] = useState(null);
  const [fault, setFault] = useState("");
  const [turn, setTurn] = useState(0);
  const again = () => setTurn((n) => n + 1);
  useEffect(() => {
    let isCurrent = true;
    const query = new URLSearchParams({ place, text, limit: String(limit) });
    get(`/access/cardholders?${query}`).then(
      (found) => isCurrent && (setShown(found), setFault("")),
      (error) => isCurrent && setFault(complaint(error)),
    );
    return () => { isCurrent = false; };
  }, [place, text, limit, turn, changes]);
  const done = (sentence) => {
    setEdited(null);
    again();
    notify(sentence);
  };
  return html`<${Drawer} title=${t("ui.cardholders.title")} test="cardholders">
    <div class="cardholders form">
      <div class="controls">
        <select aria-label=${t("ui.cardholders.place")} value=${place} data-testid="cardholders-place" onChange=${(event) => (setPlace(event.target.value), setEdited(null), setLimit(PAGE))}>
          ${places.map((one) => html`<option key=${one.path} value=${one.path}>${named(one.name)}</option>`)}
        </select>
        <input type="search" placeholder=${t("ui.cardholders.search")} aria-label=${t("ui.cardholders.search")} value=${text} onInput=${(event) => setText(event.target.value)} />
        <button class="act" data-testid="cardholder-add" onClick=${() => setEdited({ ...BLANK, isNew: true })}>${t("ui.cardholders.add")}</button>
      </div>
      ${fault && html`<p class="fault" role="alert">${fault}</p>`}
      ${shown && html`<${Gateways} key=${place} doors=${shown.doors} />`}
      ${edited && shown && html`<${Editor} key=${edited.code} place=${edited.place?.path ?? place} known=${edited} shown=${shown} onDone=${done} onBack=${() => setEdited(null)} />`}
      ${shown && html`<p class="dim">${t("ui.cardholders.count", { all: shown.count.all, enabled: shown.count.enabled })}</p>
        <ul class="people-list">${shown.rows.map((one) => html`<${Row} key=${one.code} one=${one} onEdit=${setEdited} onChanged=${again} />`)}</ul>
        ${shown.more && limit < 2 * PAGE && html`<button class="act" onClick=${() => setLimit(2 * PAGE)}>${t("ui.cardholders.more")}</button>`}
        ${shown.more && limit >= 2 * PAGE && html`<p class="dim">${t("ui.cardholders.narrow")}</p>`}
        <${Schedules} key=${`schedules ${place}`} place=${place} schedules=${shown.schedules} onDone=${done} />
        <${Holidays} key=${`holidays ${place}`} place=${place} days=${shown.holidays} onDone=${done} />
        <${Sheet} place=${place} onDone=${done} />`}
    </div>
  <//>`;
}

/** Whether the gateways of these doors already work by what is wanted. */
function Gateways({ doors }) {
  const changes = useStore(store, (state) => state.setChanges);
  const [told, setTold] = useState([]);
  const gateways = [...new Map(doors.map((one) => [`${one.group}/${one.door.split("/")[0]}`, one.group])).keys()].slice(0, 12);
  useEffect(() => {
    let isCurrent = true;
    const asked = gateways.map((one) => get(`/gateways/${one.split("/").map(encodeURIComponent).join("/")}/sets`).catch(() => null));
    Promise.all(asked).then((found) => isCurrent && setTold(found.filter(Boolean)));
    return () => { isCurrent = false; };
  }, [gateways.join(" "), changes]);
  return html`<ul class="sets" aria-label=${t("ui.cardholders.gateways")}>${told.map((one) => html`<${GatewayState} key=${one.gateway.code} gateway=${one.gateway} set=${one.cardholders} />`)}</ul>`;
}

export function GatewayState({ gateway, set }) {
  const { wanted, reported, same, difference } = set;
  const state = same ? (wanted ? "applied" : "nothing") : wanted?.state === "applied" ? "queued" : wanted?.state ?? "queued";
  const differs = difference && difference.missing.count + difference.other.count + difference.spare.count;
  return html`<li data-gateway-set=${gateway.code} data-state=${state}>
    <b>${gateway.code}</b> <span class=${`tagged ${state}`}>${word("ui.set.state", state)}</span>
    ${!gateway.online && html` <span class="tagged off">${t("ui.device.offline")}</span>`}
    <small>${state === "nothing" ? "" : reported ? t("ui.set.reported", { number: reported.number, items: reported.items }) : t("ui.set.unheard")}${wanted && !same ? ` · ${t("ui.set.wanted", { number: wanted.number, items: wanted.items })}` : ""}</small>
    ${differs > 0 && html`<small>${t("ui.set.difference", { missing: difference.missing.count, other: difference.other.count, spare: difference.spare.count })}: ${[...difference.missing.names, ...difference.other.names, ...difference.spare.names].slice(0, 8).join(", ")}</small>`}
    ${[wanted?.error, reported?.unfit?.error].filter(Boolean).map((error) => html`<small class="fault">${error.sentence?.[currentLanguage()] ?? error.code}</small>`)}
  </li>`;
}

function Row({ one, onEdit, onChanged }) {
  const toggle = () => post(`${path(one.code)}/enabled`, { enabled: !one.enabled }).then(onChanged, (error) => notify(complaint(error), true));
  const rights = [one.doors.length ? one.doors.join(", ") : t("ui.cardholders.every-door"), one.schedule, period(one)];
  return html`<li class=${one.enabled ? "" : "off"} data-cardholder=${one.code} data-enabled=${one.enabled}>
    <b>${one.code}</b><span>${one.name}</span>
    <small>${one.cards.join(" ") || t("ui.cardholders.no-card")}${one.duress_cards ? ` + ${one.duress_cards}` : ""}</small>
    <small class="dim">${rights.filter(Boolean).join(" · ")}</small>
    <span class="buttons">
      <button class="act" data-testid="cardholder-switch" onClick=${toggle}>${t(one.enabled ? "ui.cardholders.disable" : "ui.cardholders.enable")}</button>
      <button class="act" data-testid="cardholder-edit" onClick=${() => onEdit({ ...BLANK, ...emptied(one) })}>${t("ui.cardholders.edit")}</button>
    </span>
  </li>`;
}

const period = ({ valid_from, valid_until }) => (valid_from || valid_until ? `${valid_from ?? "…"} – ${valid_until ?? "…"}` : "");
/** As the form wants it: cards stay unless others are written. */
const emptied = (one) => ({ ...one, cards: "", duress_cards: "", schedule: one.schedule ?? "", valid_from: one.valid_from ?? "", valid_until: one.valid_until ?? "" });

function Editor({ place, known, shown, onDone, onBack }) {
  const [form, setForm] = useState(known);
  const [fault, setFault] = useState("");
  const [isLeaving, setIsLeaving] = useState(false);
  const set = (key) => ({ target }) => setForm((now) => ({ ...now, [key]: target.type === "checkbox" ? target.checked : target.value }));
  const toggle = (door) => setForm((now) => ({ ...now, doors: now.doors.includes(door) ? now.doors.filter((one) => one !== door) : [...now.doors, door] }));
  const failed = (error) => setFault(complaint(error));
  const save = (event) => {
    event.preventDefault();
    const { code, name, doors, enabled, passback_exempt } = form;
    const holder = { code, name, doors, enabled, passback_exempt, schedule: form.schedule || null, valid_from: form.valid_from || null, valid_until: form.valid_until || null };
    for (const key of ["cards", "duress_cards"]) if (form.isNew || form.isRevealed || form[key].trim()) holder[key] = words(form[key]);
    put(path(code), { place, holder }).then(() => onDone(t("ui.cardholders.saved", { code })), failed);
  };
  const reveal = () => post(`${path(form.code)}/cards`).then((found) => setForm((now) => ({ ...now, cards: found.cards.join(" "), duress_cards: found.duress_cards.join(" "), isRevealed: true })), failed);
  const remove = () => (isLeaving ? call("DELETE", path(form.code)).then(() => onDone(t("ui.cardholders.removed", { code: form.code })), failed) : setIsLeaving(true));
  const chosen = shown.schedules.find(({ code }) => code === form.schedule);
  const field = (key, type = "text", more = {}) => html`<label>${t(`ui.cardholders.field.${key}`)}<input type=${type} value=${form[key]} data-testid=${`field-${key}`} onInput=${set(key)} ...${more} /></label>`;
  return html`<form class="form editor" onSubmit=${save} data-testid="cardholder-form">
    <div class="pair">${field("code", "text", { required: true, disabled: !form.isNew, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]{0,62}" })}${field("name")}</div>
    ${field("cards", "text", { placeholder: form.isNew ? "H10301:42:12345" : t("ui.cardholders.unchanged") })}
    ${field("duress_cards", "text", { placeholder: form.isNew ? "" : t("ui.cardholders.unchanged") })}
    ${!form.isNew && html`<button type="button" class="link" onClick=${reveal}>${t("ui.cardholders.reveal")}</button>`}
    <fieldset><legend>${t("ui.cardholders.field.doors")}</legend>
      ${shown.doors.map(({ door, name }) => html`<label key=${door} class="check"><input type="checkbox" checked=${form.doors.includes(door)} onChange=${() => toggle(door)} />${named(name) || door} <small class="dim">${door}</small></label>`)}
      <p class="dim">${t("ui.cardholders.doors-hint")}</p></fieldset>
    <div class="pair"><label>${t("ui.cardholders.field.schedule")}<select value=${form.schedule} onChange=${set("schedule")}>
        <option value="">${t("ui.cardholders.always")}</option>${shown.schedules.map(({ code }) => html`<option key=${code} value=${code}>${code}</option>`)}</select></label>
      ${field("valid_from", "date")}${field("valid_until", "date")}</div>
    ${chosen && html`<${Week} hours=${chosen.hours} />`}
    <label class="check"><input type="checkbox" checked=${form.passback_exempt} onChange=${set("passback_exempt")} />${t("ui.cardholders.field.passback_exempt")}</label>
    ${fault && html`<p class="fault" role="alert" data-testid="cardholder-fault">${fault}</p>`}
    <div class="controls">
      <button class="act primary" data-testid="cardholder-save">${t("ui.cardholders.save")}</button>
      <button type="button" class="act" onClick=${onBack}>${t("ui.close")}</button>
      ${!form.isNew && html`<button type="button" class="act" data-testid="cardholder-remove" onClick=${remove}>${t(isLeaving ? "ui.cardholders.remove-sure" : "ui.cardholders.remove")}</button>`}
    </div>
  </form>`;
}
