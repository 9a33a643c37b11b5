// One series over time: its course, the span between least and greatest, gaps; of an alarm the limit and the moment it fired.
import { timeZone } from "../core/time.js";
import { valueText } from "./values.js";
import uPlot from "../../vendor/uPlot.module.js";

const DAY_MS = 86400000;
const MINUTE_MS = 60000;
/** A value of the service holds for an hour when nothing follows; a state until it changes. */
const HOLDS_MS = 3600000;

/** Draw a history into `element`; the caller destroys the chart. Times in milliseconds; `value` null is a gap. */
export function drawChart(element, { ms, value, low, high, unit, metric, from, to, raised, limit, isState, height = 132 }) {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  const [times, [means, lows, highs]] = upToNow(ms, isState ? [high ?? value, null, null] : [value, low ?? null, high ?? null], to, isState);
  const line = {
    stroke: colour("--text"), width: 1.5, points: { show: times.length < 3 }, spanGaps: false,
    fill: lows ? undefined : colour("--chart-fill"), paths: isState ? uPlot.paths.stepped({ align: 1 }) : undefined,
  };
  const edge = { stroke: colour("--calm"), width: 0.5, points: { show: false }, spanGaps: false };
  const width = () => Math.max(200, element.clientWidth);
  const chart = new uPlot(
    {
      width: width(),
      height,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), timeZone()),
      cursor: { y: false, points: { size: 7 } },
      legend: { show: false },
      scales: { x: { time: true, range: [from / 1000, to / 1000] }, y: { range: (_, least, most) => yRange(least, most, limit, isState) } },
      axes: [
        { ...axis, size: 22, space: 64, values: (_, splits) => splits.map((one) => timeName(one, to - from)) },
        { ...axis, size: axisWidth, splits: isState ? () => [0, 1] : undefined, values: (_, splits) => splits.map((one) => yName(one, unit, metric, isState)) },
      ],
      series: [{}, ...(lows ? [edge, edge] : []), line],
      bands: lows ? [{ series: [2, 1], fill: colour("--raise-2") }] : [],
      hooks: { draw: [(one) => marks(one, { limit, raised, limitColour: colour("--P2"), raisedColour: colour("--P1") })] },
    },
    [times.map((one) => one / 1000), ...(lows ? [lows, highs] : []), means],
    element,
  );
  const watch = new ResizeObserver(() => chart.setSize({ width: width(), height }));
  watch.observe(element);
  return {
    destroy() {
      watch.disconnect();
      chart.destroy();
    },
  };
}

/** The last value reaches to the end while it holds. */
function upToNow(ms, columns, to, isState) {
  const last = ms.at(-1);
  if (last >= to || columns[0].at(-1) === null || (!isState && to - last > HOLDS_MS)) return [ms, columns];
  return [[...ms, to], columns.map((column) => column && [...column, column.at(-1)])];
}

/** Room for the longest name on the axis. */
const axisWidth = (_, values) => Math.max(34, ...(values ?? []).map((one) => 14 + one.length * (/^[\x20-\x7e°³]*$/.test(one) ? 6.2 : 11.5)));

function yRange(least, most, limit, isState) {
  if (isState) return [-0.15, 1.25];
  if (least === null) return [0, 1];
  const bottom = Math.min(least, limit ?? least);
  const top = Math.max(most, limit ?? most);
  const room = (top - bottom || Math.abs(top) || 1) * 0.15;
  return [bottom - room, top + room];
}

function yName(value, unit, metric, isState) {
  if (isState) return valueText(metric, value === 1);
  return `${Number(value.toFixed(2))}${unit ? ` ${unit}` : ""}`;
}

/** Seconds within minutes, hours within two days, days beyond. */
function timeName(seconds, spanMs) {
  const date = uPlot.tzDate(new Date(seconds * 1000), timeZone());
  const two = (n) => String(n).padStart(2, "0");
  if (spanMs > 2 * DAY_MS) return `${date.getMonth() + 1}-${two(date.getDate())}`;
  const exact = spanMs < 10 * MINUTE_MS ? `:${two(date.getSeconds())}` : "";
  return `${two(date.getHours())}:${two(date.getMinutes())}${exact}`;
}

/** The limit lies across, the moment of the alarm stands upright. */
function marks(chart, { limit, raised, limitColour, raisedColour }) {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
  if (limit !== undefined && limit !== null) {
    const y = chart.valToPos(limit, "y", true);
    stroke(ctx, limitColour, bbox.left, y, bbox.left + bbox.width, y);
  }
  if (raised !== undefined) {
    const x = chart.valToPos(raised / 1000, "x", true);
    stroke(ctx, raisedColour, x, bbox.top, x, bbox.top + bbox.height);
  }
  ctx.restore();
}

function stroke(ctx, colour, x1, y1, x2, y2) {
  ctx.strokeStyle = colour;
  ctx.beginPath();
  ctx.moveTo(x1, y1);
  ctx.lineTo(x2, y2);
  ctx.stroke();
}
