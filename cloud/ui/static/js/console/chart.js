// One series over the hour before an alarm, its limit, and the moment it fired.
import { timeZone } from "../core/time.js";
import { valueText } from "./values.js";
import uPlot from "../../vendor/uPlot.module.js";

const HEIGHT = 132;

/** Draw into `element`; the caller destroys the chart. Times in milliseconds. */
export function drawChart(element, { points, unit, metric, from, to, raised, limit, isState }) {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const last = points.at(-1);
  const whole = last[0] < to ? [...points, [to, last[1]]] : points;
  const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  const chart = new uPlot(
    {
      width: Math.max(200, element.clientWidth),
      height: HEIGHT,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), timeZone()),
      cursor: { y: false, points: { size: 7 } },
      legend: { show: false },
      scales: { x: { time: true, range: [from / 1000, to / 1000] }, y: { range: (_, low, high) => yRange(low, high, limit, isState) } },
      axes: [
        { ...axis, size: 22, values: (_, splits) => splits.map(hourAndMinute) },
        { ...axis, size: axisWidth, splits: isState ? () => [0, 1] : undefined, values: (_, splits) => splits.map((one) => yName(one, unit, metric, isState)) },
      ],
      series: [
        {},
        {
          stroke: colour("--text"), width: 1.5, fill: colour("--chart-fill"), points: { show: points.length < 3 },
          paths: isState ? uPlot.paths.stepped({ align: 1 }) : undefined,
        },
      ],
      hooks: { draw: [(one) => marks(one, { limit, raised, limitColour: colour("--P2"), raisedColour: colour("--P1") })] },
    },
    [whole.map(([ms]) => ms / 1000), whole.map(([, value]) => (isState ? Math.ceil(value) : value))],
    element,
  );
  const watch = new ResizeObserver(() => chart.setSize({ width: Math.max(200, element.clientWidth), height: HEIGHT }));
  watch.observe(element);
  return {
    destroy() {
      watch.disconnect();
      chart.destroy();
    },
  };
}

/** Room for the longest name on the axis. */
const axisWidth = (_, values) => Math.max(34, ...(values ?? []).map((one) => 14 + one.length * (/^[\x20-\x7e°³]*$/.test(one) ? 6.2 : 11.5)));

function yRange(low, high, limit, isState) {
  if (isState) return [-0.15, 1.25];
  const bottom = Math.min(low, limit ?? low);
  const top = Math.max(high, limit ?? high);
  const room = (top - bottom || Math.abs(top) || 1) * 0.15;
  return [bottom - room, top + room];
}

function yName(value, unit, metric, isState) {
  if (isState) return valueText(metric, value === 1);
  return `${Number(value.toFixed(2))}${unit ? ` ${unit}` : ""}`;
}

function hourAndMinute(seconds) {
  const date = uPlot.tzDate(new Date(seconds * 1000), timeZone());
  return `${String(date.getHours()).padStart(2, "0")}:${String(date.getMinutes()).padStart(2, "0")}`;
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
  const x = chart.valToPos(raised / 1000, "x", true);
  stroke(ctx, raisedColour, x, bbox.top, x, bbox.top + bbox.height);
  ctx.restore();
}

function stroke(ctx, colour, x1, y1, x2, y2) {
  ctx.strokeStyle = colour;
  ctx.beginPath();
  ctx.moveTo(x1, y1);
  ctx.lineTo(x2, y2);
  ctx.stroke();
}
