// Sentences for codes, from the service's catalogues. Placeholders are `{name}`.
import { get } from "./api.js";
import { recall, remember } from "./memory.js";

export const LANGUAGES = ["zh-CN", "en"];

let language = LANGUAGES[0];
let sentences = {};

/** The language in use. */
export const currentLanguage = () => language;

/** The language a page starts with: what the person chose here before, else what the browser asks for. */
export function preferredLanguage() {
  const known = recall("language");
  if (LANGUAGES.includes(known)) return known;
  return navigator.language?.toLowerCase().startsWith("en") ? "en" : "zh-CN";
}

/** Load a language's sentences; the last loaded ones serve while the service is not reached. */
export async function loadLanguage(wanted) {
  const chosen = LANGUAGES.includes(wanted) ? wanted : LANGUAGES[0];
  try {
    sentences = await get(`/i18n/${chosen}`);
    remember(`sentences.${chosen}`, sentences);
  } catch (error) {
    const kept = recall(`sentences.${chosen}`);
    if (!kept) throw error;
    sentences = kept;
  }
  language = chosen;
  remember("language", chosen);
  document.documentElement.lang = chosen;
}

/** The sentence of `code` with `params` filled in; the code itself when there is none. */
export function t(code, params = {}) {
  return fill(sentences[code] ?? code, params);
}

/** The sentence of `prefix.value`; `value` itself when there is none (a newer service knows more than the page). */
export function word(prefix, value, params = {}) {
  const sentence = sentences[`${prefix}.${value}`];
  return sentence === undefined ? String(value ?? "") : fill(sentence, params);
}

/** Whether the catalogue has a sentence for `code`. */
export const hasSentence = (code) => code in sentences;

/** A name that people read, `{"zh-CN": …, en: …}` or text, in the language in use. */
export function named(name) {
  if (name === null || name === undefined) return "";
  if (typeof name === "string") return name;
  return name[language] ?? name["zh-CN"] ?? name.en ?? "";
}

/** What an error tells a person. */
export const complaint = (error) => (error.code?.startsWith("ui.") ? t(error.code) : error.message || t("ui.error.failed"));

function fill(template, params) {
  return template
    .replace(/\{\{|\}\}|\{(\w+)\}/g, (whole, key) => (key === undefined ? whole[0] : key in params ? String(params[key] ?? "") : whole));
}
