/**
 * Lines over steps as a Plotly figure: selected parameters (log norm) or metrics.
 *
 * Each line is the last value of its bucket over a band from the lowest to the highest; a step
 * where there was no value is a gap. Vertical marks stand where commands took effect, within the
 * steps of the lines: no mark makes the axis wider.
 *
 * @typedef {import("./plotly.js").Figure} Figure
 * @typedef {import("./flow_figure.js").Tokens} Tokens
 * @typedef {import("./closed_bands.js").Band} Band
 *
 * @typedef {object} Line
 * @property {string} name
 * @property {number[]} steps
 * @property {(number | null)[]} values
 * @property {(number | null)[]} min
 * @property {(number | null)[]} max
 * @property {string} color
 * @property {string} mark the line's number, drawn at its end and in every key: never colour alone
 *
 * @typedef {object} LineFigure
 * @property {readonly Line[]} lines
 * @property {readonly {step: number, label: string, gating: boolean}[]} marks
 * @property {readonly Band[]} bands where gates were closed
 * @property {string} bandWords what a band says when it is pointed at, such as `closed`
 * @property {boolean} log
 * @property {string} uirevision
 * @property {Tokens} tokens
 * @property {number} width px
 */
import { formatNumber, shortenMiddle } from "../base/format.js";
import { decadesBetween, powerOfTen } from "../model/norm_scale.js";
import { gateTraces } from "./band_traces.js";
import { escapePlotly } from "./plotly_text.js";

const DECADES_FOR_POWERS = 2;
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
  const [first, last] = stepRange(chart.lines);
  const inside = { ...chart, marks: chart.marks.filter(({ step }) => step >= first && step <= last) };
  return {
    data: [
      ...gateTraces(chart.bands, chart.bandWords, chart.tokens),
      ...chart.lines.filter(hasBand).map((line) => bandTrace(line, chart.log)),
      ...chart.lines.map((line) => lineTrace(line, chart.log)),
      endTrace(chart),
      markTrace(inside),
    ],
    layout: layout(inside, [first, last]),
  };
}

/**
 * The first and last step of all lines.
 * @param {readonly Line[]} lines
 * @returns {[number, number]}
 */
export function stepRange(lines) {
  return [
    Math.min(...lines.map(({ steps }) => steps[0] ?? Infinity)),
    Math.max(...lines.map(({ steps }) => steps[steps.length - 1] ?? -Infinity)),
  ];
}

/** Does the line stand for more than its points? @param {Line} line */
function hasBand({ min, max }) {
  return min.some((low, i) => low !== max[i]);
}

/**
 * Closed outlines from minimum to maximum, one for each stretch without a gap.
 * @param {Pick<Line, "steps" | "min" | "max">} line
 * @param {boolean} log
 */
export function bandOutline({ steps, min, max }, log) {
  /** @type {(number | null)[]} */
  const x = [];
  /** @type {(number | null)[]} */
  const y = [];
  let start = 0;
  const isValue = (/** @type {number} */ i) => {
    const low = min[i] ?? null;
    return low !== null && (!log || low > 0);
  };
  while (start < steps.length) {
    let end = start;
    while (end < steps.length && isValue(end)) end += 1;
    if (end > start) {
      x.push(...steps.slice(start, end), ...steps.slice(start, end).reverse(), null);
      y.push(...max.slice(start, end), ...min.slice(start, end).reverse(), null);
    }
    start = end + 1;
  }
  return { x, y };
}

/**
 * @param {Line} line
 * @param {boolean} log
 */
function bandTrace(line, log) {
  return {
    type: "scatter",
    mode: "lines",
    ...bandOutline(line, log),
    fill: "toself",
    fillcolor: translucent(line.color),
    line: { width: 0 },
    hoverinfo: "skip",
    showlegend: false,
  };
}

/** @param {string} color `#rrggbb` */
function translucent(color) {
  return `${color}2e`;
}

/**
 * @param {Line} line
 * @param {boolean} log
 */
function lineTrace(line, log) {
  const name = escapePlotly(shortenMiddle(line.name, 48));
  return {
    type: "scatter",
    mode: "lines",
    name,
    x: line.steps,
    y: line.values.map((value) => (value === null || (log && value <= 0) ? null : value)),
    text: line.values.map((value, i) => `${name}<br>step ${line.steps[i]} · ${formatNumber(value)}`),
    hovertemplate: "%{text}<extra></extra>",
    line: { color: line.color, width: 1.5 },
    connectgaps: false,
    showlegend: false,
  };
}

/**
 * The number of each line beside its last value.
 * @param {LineFigure} chart
 */
function endTrace({ lines, log }) {
  const ends = lines.flatMap(({ steps, values, mark, color }) => {
    const at = values.findLastIndex((value) => value !== null && (!log || value > 0));
    return at < 0 ? [] : [{ x: steps[at], y: values[at], mark, color }];
  });
  return {
    type: "scatter",
    mode: "text",
    x: ends.map(({ x }) => x),
    y: ends.map(({ y }) => y),
    text: ends.map(({ mark }) => ` <b>${mark}</b>`),
    textposition: "middle right",
    textfont: { size: 11, color: ends.map(({ color }) => color) },
    hoverinfo: "skip",
    showlegend: false,
    cliponaxis: false,
  };
}

/** @param {LineFigure} chart */
function markTrace({ marks, tokens }) {
  const colors = marks.map((mark) => markColor(mark, tokens));
  return {
    type: "scatter",
    mode: "markers",
    yaxis: "y2",
    x: marks.map(({ step }) => step),
    y: marks.map(() => 1),
    text: marks.map(({ step, label }) => `${escapePlotly(shortenMiddle(label, 64))}<br>step ${step}`),
    hovertemplate: "%{text}<extra></extra>",
    marker: {
      symbol: marks.map(({ gating }) => (gating ? "square-x-open" : "asterisk-open")),
      size: 8,
      color: colors,
      line: { width: 1.5, color: colors },
    },
    showlegend: false,
    cliponaxis: false,
  };
}

/**
 * @param {{gating: boolean}} mark
 * @param {Tokens} tokens
 */
function markColor({ gating }, tokens) {
  return tokens[gating ? "state-gated" : "state-frozen"];
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
function layout({ lines, marks, log, uirevision, tokens, width }, ends) {
  const axis = { gridcolor: tokens["line"], zeroline: false, ticks: "", ticklabelstandoff: 6 };
  return {
    uirevision,
    autosize: true,
    margin: { l: 76, r: 24, t: 10, b: 26 },
    showlegend: false,
    hovermode: "closest",
    hoverdistance: 16,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: tokens["font"], size: 11, color: tokens["muted"] },
    hoverlabel: {
      bgcolor: tokens["panel"],
      bordercolor: tokens["line-strong"],
      font: { family: tokens["font"], size: 12, color: tokens["text"] },
      align: "left",
    },
    xaxis: {
      ...axis,
      showgrid: false,
      nticks: Math.min(MOST_STEPS, Math.max(1, Math.floor(width / STEP_ROOM))),
      tickangle: 0,
      tickformat: ",d",
      autorangeoptions: axisRange(ends),
    },
    yaxis: {
      ...axis,
      type: log ? "log" : "linear",
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
