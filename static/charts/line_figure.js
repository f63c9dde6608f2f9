/**
 * Lines over steps as a Plotly figure: selected parameters (log norm) or metrics.
 *
 * Each line is the last value of its bucket over a band from the lowest to the highest; a step
 * where there was no value is a gap. Vertical marks stand where commands took effect, within the
 * range in sight, or else the steps of the lines: no mark makes the axis wider.
 *
 * @typedef {import("./line_traces.js").Line} Line
 * @typedef {import("./line_traces.js").LineFigure} LineFigure
 * @typedef {import("./plotly.js").Figure} Figure
 * @typedef {import("./plot_layout.js").Tokens} Tokens
 */
import { decadesBetween } from "../model/norm_scale.js";
import { gateTraces } from "./band_traces.js";
import { lineTraces, markColor, markTrace } from "./line_traces.js";
import { plotLayout } from "./plot_layout.js";
import { powerOfTen } from "./plotly_text.js";
import { stepRange } from "./track.js";

const DECADES_FOR_POWERS = 2;
/** Decades in which 1, 2 and 5 are too far apart. */
const NARROW = 0.39;
const MOST_POWERS = 6;
const MOST_STEPS = 8;
/** Of a step's label and the gap to the next, px. */
const STEP_ROOM = 80;
const ROOM_AT_END = 0.03;

/**
 * @param {LineFigure} chart
 * @returns {{data: Figure[], layout: Figure}}
 */
export function lineFigure(chart) {
  const [first, last] = chart.range ?? stepRange(chart.lines);
  const inside = { ...chart, marks: chart.marks.filter(({ step }) => step >= first && step <= last) };
  return {
    data: [
      ...gateTraces(chart.bands, chart.bandWords, chart.tokens),
      ...lineTraces(chart),
      markTrace(inside),
    ],
    layout: layout(inside, [first, last]),
  };
}

/**
 * Powers of ten where the lines span decades, else 1, 2 and 5 of each.
 * @param {readonly Line[]} lines
 */
function logTicks(lines) {
  let low = Infinity;
  let high = 0;
  for (const value of lines.flatMap(({ min, max }) => [...min, ...max])) {
    if (value === null || value <= 0) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  // In less there may be none of these, and Plotly finds round numbers.
  if (high > low && Math.log10(high / low) < NARROW) return { tickformat: "~g" };
  if (!(high > low) || Math.log10(high / low) < DECADES_FOR_POWERS) {
    return { dtick: "D2", tickformat: "~g" };
  }
  const decades = decadesBetween([Math.floor(Math.log10(low)) - 1, Math.ceil(Math.log10(high)) + 1]);
  const every = Math.ceil(decades.length / MOST_POWERS);
  const shown = decades.filter((decade) => decade % every === 0);
  return { tickvals: shown.map((decade) => 10 ** decade), ticktext: shown.map(powerOfTen) };
}

/**
 * @param {LineFigure} chart
 * @param {[number, number]} ends
 */
function layout({ lines, marks, log, range, uirevision, tokens, width }, ends) {
  const axis = { gridcolor: tokens["line"], zeroline: false, ticks: "", ticklabelstandoff: 6 };
  return {
    ...plotLayout(tokens),
    uirevision,
    margin: { l: 76, r: 24, t: 10, b: 26 },
    hoverdistance: 16,
    xaxis: {
      ...axis,
      showgrid: false,
      nticks: Math.min(MOST_STEPS, Math.max(1, Math.floor(width / STEP_ROOM))),
      tickangle: 0,
      tickformat: ",d",
      ...(range === null ? { autorangeoptions: axisRange(ends) } : { range: [range[0] - 0.5, range[1] + 0.5] }),
    },
    yaxis: {
      ...axis,
      type: log ? "log" : "linear",
      fixedrange: true,
      nticks: 5,
      ...(log ? logTicks(lines) : {}),
    },
    yaxis2: { overlaying: "y", range: [0, 1], visible: false, fixedrange: true },
    shapes: marks.map(({ step, gating }) => ({
      type: "line",
      layer: "below",
      xref: "x",
      yref: "paper",
      x0: step,
      x1: step,
      y0: 0,
      y1: 1,
      line: { color: markColor({ gating }, tokens), width: 1, dash: "dot" },
    })),
  };
}

/**
 * The automatic range of the step axis: the lines' own, with room for their numbers at the end.
 * @param {[number, number]} ends
 */
function axisRange([first, last]) {
  if (!(last > first)) return {};
  return { minallowed: first, maxallowed: last + (last - first) * ROOM_AT_END };
}
