// When people with cards may enter: hours of a week, by name, and the days that are holidays.
import { call, put } from "../core/api.js";
import { html, useState } from "../core/html.js";
import { complaint, t } from "../core/i18n.js";
import { dateName, today } from "../core/time.js";
import { Bar, DAYS, Scale, Week, readDay } from "./hours.js";

const CODE = /^[a-z0-9][a-z0-9-]{0,62}$/;
const USUAL = { mon: ["06:00-23:00"], tue: ["06:00-23:00"], wed: ["06:00-23:00"], thu: ["06:00-23:00"], fri: ["06:00-23:00"], sat: [], sun: [], holiday: [] };
const MOST_DAYS = 60;
const DAY_MS = 86400000;

const path = (code) => `/access/schedules/${encodeURIComponent(code)}`;

export function Schedules({ place, schedules, onDone }) {
  const [edited, setEdited] = useState(null);
  const done = (sentence) => (setEdited(null), onDone(sentence));
  return html`<section class="schedules" data-testid="schedules"><h3>${t("ui.hours.title")}</h3>
    <p class="dim">${t("ui.hours.hint")}</p>
    ${schedules.map((one) => (one.code === edited?.code
      ? html`<${Editor} key=${one.code} place=${one.path} known=${one} schedules=${schedules} onDone=${done} onBack=${() => setEdited(null)} />`
      : html`<article key=${one.code} data-schedule=${one.code}><header><b>${one.code}</b>
          ${one.may_set && html`<button class="act" data-testid="schedule-edit" aria-label=${`${t("ui.cardholders.edit")}: ${one.code}`} onClick=${() => setEdited(one)}>${t("ui.cardholders.edit")}</button>`}</header>
        <${Week} hours=${one.hours} /></article>`))}
    ${edited?.isNew
      ? html`<${Editor} key="new" place=${place} known=${edited} schedules=${schedules} onDone=${done} onBack=${() => setEdited(null)} />`
      : html`<button class="act" data-testid="schedule-add" onClick=${() => setEdited({ isNew: true, code: "", hours: USUAL })}>${t("ui.hours.add")}</button>`}
  </section>`;
}

function Editor({ place, known, schedules, onDone, onBack }) {
  const [code, setCode] = useState(known.code);
  const [texts, setTexts] = useState(() => Object.fromEntries(DAYS.map((day) => [day, (known.hours[day] ?? []).join(", ")])));
  const [fault, setFault] = useState("");
  const [isLeaving, setIsLeaving] = useState(false);
  const read = Object.fromEntries(DAYS.map((day) => [day, readDay(texts[day], t(`ui.hours.day.${day}`))]));
  const hours = Object.fromEntries(DAYS.map((day) => [day, read[day].spans]));
  const write = (day, text) => setTexts((now) => ({ ...now, [day]: text }));
  const failed = (error) => setFault(complaint(error));
  const save = (event) => {
    event.preventDefault();
    const wrong = DAYS.find((day) => read[day].fault);
    if (!CODE.test(code)) return setFault(t("ui.hours.no-name"));
    if (known.isNew && schedules.some((one) => one.code === code)) return setFault(t("ui.hours.taken", { code }));
    if (wrong) return setFault(read[wrong].fault);
    return put(path(code), { place, hours }).then(() => onDone(t("ui.hours.saved", { code })), failed);
  };
  const remove = () => (isLeaving ? call("DELETE", path(code)).then(() => onDone(t("ui.hours.removed", { code })), failed) : setIsLeaving(true));
  return html`<form class="form editor" onSubmit=${save} noValidate data-testid="schedule-form">
    <label>${t("ui.hours.name")}<input ref=${(input) => known.isNew && !input?.dataset.met && input && ((input.dataset.met = "1"), input.focus())} value=${code} disabled=${!known.isNew} maxlength="63" autocapitalize="off" data-testid="schedule-code" onInput=${(event) => setCode(event.target.value.trim())} /></label>
    <p class="dim" id="hours-how">${t("ui.hours.how")}</p>
    <div class="week editing"><span></span><${Scale} /><span></span>
      ${DAYS.map((day, n) => html`<b key=${day}>${t(`ui.hours.day.${day}`)}</b><${Bar} hours=${hours} day=${day} />
        <span class="span"><input aria-label=${t(`ui.hours.day.${day}`)} aria-describedby="hours-how" aria-invalid=${Boolean(read[day].fault)} placeholder=${t("ui.hours.closed")} value=${texts[day]} data-day=${day} onInput=${(event) => write(day, event.target.value)} />
          ${n > 0 && html`<button type="button" class="act" title=${t("ui.hours.as-above")} aria-label=${`${t(`ui.hours.day.${day}`)}: ${t("ui.hours.as-above")}`} onClick=${() => write(day, texts[DAYS[n - 1]])}>↑</button>`}</span>
        ${read[day].fault && html`<small class="fault" data-fault=${day}>${read[day].fault}</small>`}`)}
    </div>
    ${fault && html`<p class="fault" role="alert" data-testid="schedule-fault">${fault}</p>`}
    <div class="controls">
      <button class="act primary" data-testid="schedule-save">${t("ui.cardholders.save")}</button>
      <button type="button" class="act" onClick=${onBack}>${t("ui.cancel")}</button>
      ${!known.isNew && html`<button type="button" class="act" data-testid="schedule-remove" onClick=${remove}>${t(isLeaving ? "ui.cardholders.remove-sure" : "ui.cardholders.remove")}</button>`}
    </div>
  </form>`;
}

/** Days on which only the holiday line counts: one by one, or a week of them at once. */
export function Holidays({ place, days, onDone }) {
  const [from, setFrom] = useState("");
  const [to, setTo] = useState("");
  const [fault, setFault] = useState("");
  const give = (wanted) => put("/access/holidays", { place, days: wanted }).then(() => (setFrom(""), setTo(""), setFault(""), onDone(t("ui.holidays.saved"))), (error) => setFault(complaint(error)));
  const add = (event) => {
    event.preventDefault();
    const [first, last] = [Date.parse(from), Date.parse(to || from)];
    if (Number.isNaN(first) || Number.isNaN(last)) return setFault(t("ui.holidays.no-day"));
    if (last < first) return setFault(t("ui.holidays.backwards"));
    if (last - first >= MOST_DAYS * DAY_MS) return setFault(t("ui.holidays.too-long", { most: MOST_DAYS }));
    const more = Array.from({ length: (last - first) / DAY_MS + 1 }, (_, n) => new Date(first + n * DAY_MS).toISOString().slice(0, 10));
    return give([...new Set([...days, ...more])].sort());
  };
  const coming = days.filter((day) => day >= today());
  return html`<section class="holidays" data-testid="holidays"><h3>${t("ui.holidays.title")}</h3>
    <p class="dim">${t("ui.holidays.hint")}</p>
    ${coming.length > 0 && html`<ul>${coming.map((day) => html`<li key=${day} data-holiday=${day}>${dateName(day)}
      <button class="tool" aria-label=${`${t("ui.cardholders.remove")}: ${dateName(day)}`} onClick=${() => give(days.filter((one) => one !== day))}>×</button></li>`)}</ul>`}
    ${coming.length < days.length && html`<p class="dim">${t("ui.holidays.past", { count: days.length - coming.length })}</p>`}
    <form class="form" onSubmit=${add} noValidate><div class="controls">
      <label>${t("ui.holidays.first")}<input type="date" value=${from} data-testid="holiday-from" onInput=${(event) => setFrom(event.target.value)} /></label>
      <label>${t("ui.holidays.last")}<input type="date" value=${to} min=${from} onInput=${(event) => setTo(event.target.value)} /></label>
      <button class="act" data-testid="holiday-add">${t("ui.holidays.add")}</button></div>
      ${fault && html`<p class="fault" role="alert" data-testid="holiday-fault">${fault}</p>`}
    </form>
  </section>`;
}
