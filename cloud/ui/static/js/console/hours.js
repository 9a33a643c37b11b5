// Hours of a week: what people write, what a gateway takes, and a picture of it. Minutes of a day; an end beyond 1440 lies on the next.
import { html } from "../core/html.js";
import { t } from "../core/i18n.js";

const DAY = 1440;
export const WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
export const DAYS = [...WEEK, "holiday"];
const TICKS = [0, 6, 12, 18, 24];
const SPAN = /^(\d{1,2})(?:[:.：]?([0-5]\d))?\s*(?:-|–|—|~|～|至|到)\s*(\d{1,2})(?:[:.：]?([0-5]\d))?$/;

const two = (n) => String(n).padStart(2, "0");
const clock = (minutes) => `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;

/** First and end minute of a span as a gateway has it, "06:00-23:00". */
function minutes(span) {
  const [from, to] = span.split("-").map((part) => Number(part.slice(0, 2)) * 60 + Number(part.slice(3)));
  return [from, to > from ? to : to + DAY];
}

/** What somebody wrote for a day: `{spans, fault}`; "6-12, 14:00-23:00" is two spans. `fault` is a sentence. */
export function readDay(text, day) {
  const parts = text.split(/[,，;；、\n]+/).map((part) => part.trim()).filter(Boolean);
  const spans = [];
  for (const part of parts) {
    const found = SPAN.exec(part);
    const [a, b, c, d] = (found ?? []).slice(1).map((one) => Number(one ?? 0));
    const [from, to] = [a * 60 + b, c * 60 + d];
    if (!found || from >= DAY || to > DAY) return { spans: [], fault: t("ui.hours.not-a-span", { day, text: part }) };
    if (from === to) return { spans: [], fault: t("ui.hours.no-time", { day, text: part }) };
    spans.push(`${clock(from)}-${clock(to)}`);
  }
  spans.sort();
  const crossing = spans.findIndex((span, n) => n > 0 && minutes(span)[0] < minutes(spans[n - 1])[1]);
  if (crossing > 0) return { spans: [], fault: t("ui.hours.overlap", { day, one: spans[crossing - 1], other: spans[crossing] }) };
  return { spans, fault: "" };
}

/** What a day's line shows: its own spans, and what runs over midnight from the day before (a holiday has no day before). */
function bars(hours, day) {
  const own = (hours[day] ?? []).map(minutes).map(([from, to]) => [from, Math.min(to, DAY), ""]);
  const before = WEEK[(WEEK.indexOf(day) + 6) % 7];
  const over = day === "holiday" ? [] : (hours[before] ?? []).map(minutes).filter(([, to]) => to > DAY).map(([, to]) => [0, to - DAY, "over"]);
  return [...over, ...own];
}

/** A day as a bar from 0 to 24 o'clock. */
export function Bar({ hours, day }) {
  return html`<svg class="bar" viewBox="0 0 1440 10" preserveAspectRatio="none" aria-hidden="true">
    ${TICKS.slice(1, -1).map((tick) => html`<line key=${tick} x1=${tick * 60} x2=${tick * 60} y1="0" y2="10" vector-effect="non-scaling-stroke" />`)}
    ${bars(hours, day).map(([from, to, kind]) => html`<rect key=${`${from} ${kind}`} class=${kind} x=${from} y="1" width=${to - from} height="8" />`)}
  </svg>`;
}

/** The clock above the bars. */
export const Scale = () => html`<div class="scale" aria-hidden="true">${TICKS.map((tick) => html`<span key=${tick}>${tick}</span>`)}</div>`;

/** A whole week to look at, with the hours in words beside each bar. */
export function Week({ hours }) {
  return html`<div class="week"><span></span><${Scale} /><span></span>
    ${DAYS.map((day) => html`<b key=${day}>${t(`ui.hours.day.${day}`)}</b><${Bar} hours=${hours} day=${day} />
      <small>${(hours[day] ?? []).join(", ").replaceAll("-", "–") || t("ui.hours.closed")}</small>`)}
  </div>`;
}
