// What follows from a device's past: its usual day, what is out of the ordinary, demand, a leak, time too warm.
import { get } from "../core/api.js";
import { html, useEffect, useState } from "../core/html.js";
import { t, word } from "../core/i18n.js";
import { duration } from "../core/time.js";
import { unitName, valueText } from "./values.js";

/** From here on an hour is out of the ordinary, in robust standard deviations. */
const ODD = 3.5;
const [WIDTH, HEIGHT] = [480, 64];

export function Figures({ device }) {
  const [found, setFound] = useState(null);
  useEffect(() => {
    get(`/devices/${device.id}/figures`).then(setFound).catch(() => setFound(null));
  }, [device.id]);
  if (!found) return null;
  return html`<section class="figures" data-testid="figures">
    ${found.metric && html`<${UsualDay} found=${found} />`}
    ${"demand" in found && html`<${Sales} found=${found} />`}
    ${found.leak && html`<p class=${found.leak.leaking ? "odd" : ""} data-figure="leak">
      ${t(found.leak.leaking ? "ui.figures.leak" : "ui.figures.no-leak", { n: found.leak.nights, litres: litres(found.leak.least_per_hour) })}</p>`}
    ${found.violations && html`<${Warm} ...${found.violations} />`}
  </section>`;
}

function UsualDay({ found: { metric, unit, pattern, anomaly } }) {
  const name = word("cloud.metric", metric);
  if (!pattern) return html`<p class="dim" data-figure="pattern">${t("ui.figures.no-pattern", { metric: name })}</p>`;
  const isOdd = anomaly && Math.abs(anomaly.worst) > ODD;
  const hour = isOdd ? anomaly.scores.indexOf(anomaly.scores.find((one) => one !== null && Math.abs(Math.abs(one) - Math.abs(anomaly.worst)) < 0.1)) : null;
  return html`<figure data-figure="pattern">
    <figcaption>${t("ui.figures.pattern", { metric: name, n: pattern.days })}</figcaption>
    <${Hours} ...${pattern} />
    ${isOdd && html`<p class="odd" data-figure="anomaly">${t("ui.figures.odd", { hour, usual: valueText(metric, pattern.middle[hour], unitName(unit)), today: valueText(metric, pattern.today[hour], unitName(unit)) })}</p>`}
  </figure>`;
}

/** The quarters of usual days as a band, their middle as a line, today as dots. */
function Hours({ low, middle, high, today }) {
  const all = [...low, ...high, ...today].filter((one) => one !== null);
  const most = Math.max(...all);
  const lowest = Math.min(...all);
  const least = lowest > most / 2 ? lowest : Math.min(0, lowest); // what varies little is seen from near
  const x = (hour) => ((hour + 0.5) / 24) * WIDTH;
  const y = (value) => HEIGHT - 3 - ((value - least) / (most - least || 1)) * (HEIGHT - 6);
  const line = (values) => values.map((value, hour) => (value === null ? null : `${x(hour).toFixed(1)},${y(value).toFixed(1)}`)).filter(Boolean);
  return html`<svg class="hours" viewBox=${`0 0 ${WIDTH} ${HEIGHT + 14}`} role="img" aria-label=${t("ui.figures.hours")}>
    <polygon points=${[...line(high), ...line(low).reverse()].join(" ")} />
    <polyline points=${line(middle).join(" ")} />
    ${today.map((value, hour) => value !== null && html`<circle key=${hour} cx=${x(hour)} cy=${y(value)} r="2.5" />`)}
    ${[0, 6, 12, 18].map((hour) => html`<text key=${hour} x=${x(hour)} y=${HEIGHT + 12}>${hour}</text>`)}
  </svg>`;
}

function Sales({ found: { demand, stock_out: gone } }) {
  if (!demand) return html`<p class="dim" data-figure="demand">${t("ui.figures.no-demand")}</p>`;
  const days = (n) => (n === null ? "∞" : n < 10 ? n.toFixed(1) : n.toFixed(0));
  return html`<div data-figure="demand">
    <p>${t("ui.figures.demand", { n: demand.coming.reduce((sum, one) => sum + one, 0).toFixed(0), error: demand.error })}</p>
    ${gone && html`<p>${t(gone.days === null ? "ui.figures.no-stock-out" : "ui.figures.stock-out", { n: days(gone.days), early: days(gone.early), late: days(gone.late), stock: gone.stock })}</p>`}
  </div>`;
}

function Warm({ above_s: above, longest_s: longest, times, limit, days, highest }) {
  const told = { limit, days, n: times, total: duration(above * 1000), longest: duration(longest * 1000), highest };
  return html`<p class=${above ? "odd" : ""} data-figure="violations">${t(above ? "ui.figures.warm" : "ui.figures.not-warm", told)}</p>`;
}

const litres = (cubicMetres) => Number((cubicMetres * 1000).toPrecision(2));
