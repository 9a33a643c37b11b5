// Values of devices as people read them.
import { hasSentence, t, word } from "../core/i18n.js";

const UNITS = { Cel: "°C", "%": "%", V: "V", A: "A", W: "W", Hz: "Hz", "kW.h": "kWh", m3: "m³", "m3/h": "m³/h", GJ: "GJ", kPa: "kPa", m: "m", s: "s", "%{LEL}": "%LEL", "[ppm]": "ppm", lx: "lx", By: "B", "1": "", "{minor}": "" };
const QUIET = new Set(["linkquality", "battery"]);

/** What says most about each type of device. */
export const TELLING = {
  vending: "stock", "cold-chain": "temperature", "power-meter": "power", door: "contact-open", smoke: "smoke", siren: "sounding", valve: "valve-closed",
  "water-leak": "leak", motion: "occupancy", "water-meter": "flow", "gas-meter": "volume",
  "heat-meter": "power", climate: "temperature", "water-level": "level", "gas-detector": "co", thermostat: "temperature", relay: "relay-1", "fire-detector": "fire", "fire-panel": "fire", "sos-button": "battery", button: "battery", contact: "contact-open",
};

/** All types of devices that people may choose from. */
export const TYPES = Object.keys(TELLING);

/** A UCUM unit as it is written on a screen. */
export const unitName = (unit) => UNITS[unit] ?? unit ?? "";

/** Values as they are written on an axis: money in whole units. */
export const scaled = (values, unit) => (unit === "{minor}" ? values?.map((value) => value && value / 100) : values);

/** One value with its unit; states in words. */
export function valueText(metric, value, unit = "") {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return stateWord(metric, value);
  if (typeof value !== "number") return String(value);
  const digits = Number.isInteger(value) ? 0 : Math.abs(value) < 10 ? 2 : 1;
  const shown = unit === "{minor}" ? (value / 100).toFixed(2) : String(Number(value.toFixed(digits)));
  return unitName(unit) ? `${shown} ${unitName(unit)}` : shown;
}

/** The values of a device in one line; radio figures only when there is nothing else. */
export function latestOf(device) {
  const all = Object.entries(device.latest ?? {}).filter(([metric]) => metric !== "Event");
  const telling = all.filter(([metric]) => !QUIET.has(metric));
  const chosen = telling.length ? telling : all;
  return chosen.map(([metric, { value, unit }]) => `${word("cloud.metric", metric)} ${valueText(metric, value, unit)}`).join(" · ");
}

/** When the device last said something, or null. */
export const lastHeard = (device) =>
  Object.values(device.latest ?? {}).reduce((newest, { at }) => (newest === null || at > newest ? at : newest), null);

function stateWord(metric, value) {
  const key = `ui.value.${metric.replace(/-\d+$/, "")}.${value ? "yes" : "no"}`;
  return hasSentence(key) ? t(key) : t(value ? "ui.value.yes" : "ui.value.no");
}
