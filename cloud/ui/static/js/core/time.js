// Times as people read them, in the street's time zone. The service's clock counts, not this machine's.
import { useEffect, useState } from "./html.js";
import { currentLanguage, t } from "./i18n.js";

let zone = "Asia/Shanghai";
let ahead = 0;
let formats = new Map();

/** Take the street's time zone and the service's clock. */
export function setClock(timeZone, serverTime) {
  zone = timeZone || zone;
  ahead = serverTime ? Date.parse(serverTime) - Date.now() : 0;
  formats = new Map();
}

/** Milliseconds since 1970 by the service's clock. */
export const now = () => Date.now() + ahead;

export const timeZone = () => zone;

/** HH:MM:SS in the street's time zone. */
export const clockTime = (at) => show(at, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

/** HH:MM. */
export const shortTime = (at) => show(at, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/** Month, day and weekday. */
export const dayName = (at) => show(at, { month: "short", day: "numeric", weekday: "short" });

/** A day of the calendar, "2026-10-01", with its weekday. */
export const dateName = (day) => new Intl.DateTimeFormat(currentLanguage(), { timeZone: "UTC", year: "numeric", month: "short", day: "numeric", weekday: "short" }).format(Date.parse(day));

/** The street's day, "2026-10-01". */
export const today = () => new Intl.DateTimeFormat("sv-SE", { timeZone: zone }).format(now());

/** How long, as a stop-watch: 0:42, 12:07, 3:05:10; days beyond two. */
export function stopwatch(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s >= 172800) return t("ui.time.days", { n: Math.floor(s / 86400) });
  const two = (n) => String(n).padStart(2, "0");
  const [h, m] = [Math.floor(s / 3600), Math.floor((s % 3600) / 60)];
  return h ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}

/** How long, in words: 42 s, 12 min, 3 h, 4 d. */
export function duration(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return t("ui.time.seconds", { n: s });
  if (s < 3600) return t("ui.time.minutes", { n: Math.round(s / 60) });
  if (s < 172800) return t("ui.time.hours", { n: Math.round(s / 3600) });
  return t("ui.time.days", { n: Math.round(s / 86400) });
}

/** How long ago something was, in words. */
export const ago = (at) => t("ui.time.ago", { age: duration(now() - Date.parse(at)) });

/** Draws the component again every `everyMs`; gives the time. */
export function useNow(everyMs = 1000) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now();
}

function show(at, options) {
  if (at === null || at === undefined) return "";
  const key = currentLanguage() + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(currentLanguage(), { timeZone: zone, ...options }));
  return formats.get(key).format(typeof at === "string" ? Date.parse(at) : at);
}
