// Severity is told by letter, shape and colour together; unacknowledged is filled, acknowledged is an outline.
import { html } from "./html.js";
import { t, word } from "./i18n.js";

export const SEVERITIES = ["P1", "P2", "P3", "P4"];

/** Outlines in a box of 24 × 24. */
export const SHAPES = {
  P1: "M12 2.5 22.5 21H1.5Z",
  P2: "M12 1.5 22.5 12 12 22.5 1.5 12Z",
  P3: "M3 3H21V21H3Z",
  P4: "M12 2A10 10 0 1 1 12 22A10 10 0 1 1 12 2Z",
};

export function Shape({ severity, size = 12 }) {
  return html`<svg class="shape" width=${size} height=${size} viewBox="0 0 24 24" aria-hidden="true"><path d=${SHAPES[severity]} /></svg>`;
}

/** The chip of a queue row or a panel. */
export function Chip({ severity, acknowledged = false, over = false }) {
  const told = acknowledged ? t("ui.chip.acknowledged") : t("ui.chip.unacknowledged");
  const style = over ? "over" : acknowledged ? "outline" : "filled";
  const label = `${word("cloud.severity", severity)}, ${told}`;
  return html`<span class="chip ${severity} ${style}" title=${label} role="img" aria-label=${label}>
    <${Shape} severity=${severity} />${severity}
  </span>`;
}

/** Worse first: severity, then unacknowledged, then age. */
export function compareAlarms(a, b) {
  return (
    a.severity.localeCompare(b.severity) ||
    Number(a.acknowledged) - Number(b.acknowledged) ||
    a.raised_at.localeCompare(b.raised_at) ||
    a.id - b.id
  );
}

/** The worst of these severities, or null. */
export const worst = (severities) => severities.reduce((found, one) => (found === null || one < found ? one : found), null);
