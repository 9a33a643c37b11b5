// Dark or light: what the person chose here, else the page's own default or the system's wish.
import { recall, remember } from "./memory.js";

const media = matchMedia("(prefers-color-scheme: light)");

/** The theme in use. `otherwise` is the page's default: "dark", "light" or "system". */
export function currentTheme(otherwise) {
  const chosen = recall("theme");
  if (chosen === "dark" || chosen === "light") return chosen;
  if (otherwise !== "system") return otherwise;
  return media.matches ? "light" : "dark";
}

export function applyTheme(otherwise) {
  document.documentElement.dataset.theme = currentTheme(otherwise);
}

export function toggleTheme(otherwise) {
  remember("theme", currentTheme(otherwise) === "dark" ? "light" : "dark");
  applyTheme(otherwise);
}

/** Follow the system while the person chose nothing. */
export function followSystem(otherwise) {
  applyTheme(otherwise);
  media.addEventListener("change", () => applyTheme(otherwise));
}
