/**
 * One metric of several runs as a Plotly figure, a line a run.
 *
 * @typedef {import("./compared_run.js").ComparedRun} ComparedRun
 * @typedef {import("../charts/plotly.js").Figure} Figure
 * @typedef {import("../charts/plot_layout.js").Tokens} Tokens
 * @typedef {import("./alignment.js").Align} Align
 */
import { ownOf } from "../base/own.js";
import { alignedAxis, timeUnit } from "./alignment.js";
import { plotLayout } from "../charts/plot_layout.js";
import { escapePlotly } from "../charts/plotly_text.js";

const DECADES_FOR_LOG = 2;
const HOVER = Object.freeze({ step: "step %{x:,d}", start: "after %{x:,d} steps", share: "%{x:.0f} %", time: "after %{x:.3~g} UNIT" });

/**
 * The names of the metrics that runs have: the loss, then what the most have, and Gradgate's own at the end.
 * @param {readonly ComparedRun[]} runs
 */
export function metricNames(runs) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { metrics } of runs) {
    for (const name of Object.keys(metrics)) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const rank = (/** @type {string} */ name) => (name === "loss" ? 0 : name.startsWith("gradgate/") ? 2 : 1);
  return [...counts].sort(([one, a], [other, b]) => rank(one) - rank(other) || b - a).map(([name]) => name);
}

/**
 * @param {string} name of the metric
 * @param {readonly ComparedRun[]} runs
 * @param {Align} align
 * @param {Tokens} tokens
 * @returns {{data: Figure[], layout: Figure}}
 */
export function overlayFigure(name, runs, align, tokens) {
  const axes = runs.map((run) => alignedAxis(run, align));
  const { unit, seconds } = timeUnit(align === "time" ? Math.max(0, ...axes.map(({ ends }) => ends?.[1] ?? 0)) : 0);
  const data = runs.flatMap(({ label, metrics, place }, i) => {
    const metric = ownOf(metrics, name);
    if (metric === undefined) return [];
    const points = extremes(metric).map(({ step, y }) => ({ x: axes[i].positionOf(step), y })).filter(({ x }) => x !== null);
    return [
      {
        type: "scatter",
        mode: points.length === 1 ? "markers" : "lines",
        name: escapePlotly(label),
        hoverlabel: { bordercolor: tokens[`series-${place + 1}`] },
        x: points.map(({ x }) => (align === "time" ? /** @type {number} */ (x) / seconds : x)),
        y: points.map(({ y }) => y),
        line: { color: tokens[`series-${place + 1}`], width: 1.5 },
        hovertemplate: `%{fullData.name}<br>${HOVER[align].replace("UNIT", unit)}: %{y:.3~g}<extra></extra>`,
      },
    ];
  });
  const axis = { gridcolor: tokens["line"], zeroline: false, ticks: "" };
  const suffix = { share: " %", time: ` ${unit}`, step: "", start: "" }[align];
  return {
    data,
    layout: {
      ...plotLayout(tokens),
      margin: { l: 60, r: 16, t: 8, b: 26 },
      xaxis: { ...axis, showgrid: false, nticks: 6, ...(suffix === "" ? { tickformat: ",d" } : { ticksuffix: suffix }) },
      yaxis: { ...axis, nticks: 5, exponentformat: "power", type: spansDecades(runs.map(({ metrics }) => ownOf(metrics, name))) ? "log" : "linear" },
    },
  };
}

/**
 * Are all values above zero, and the greatest more than two decades above the least?
 * @param {readonly (import("../wire.js").MetricRow | undefined)[]} metrics
 */
function spansDecades(metrics) {
  const values = metrics.flatMap((each) => (each === undefined ? [] : extremes(each))).flatMap(({ y }) => (y === null ? [] : [y]));
  if (values.some((value) => !(value > 0)) || values.length === 0) return false;
  return Math.log10(values.reduce((a, b) => Math.max(a, b)) / values.reduce((a, b) => Math.min(a, b))) > DECADES_FOR_LOG;
}

/**
 * The points of a line: of a bucket its least and its greatest value, so that no spike is lost; null for a gap.
 * @param {import("../wire.js").MetricRow} metric
 * @returns {{step: number, y: number | null}[]}
 */
function extremes({ first_steps, steps, min, max }) {
  return steps.flatMap((step, i) => (min[i] === max[i] ? [{ step, y: max[i] }] : [{ step: first_steps[i], y: min[i] }, { step, y: max[i] }]));
}
