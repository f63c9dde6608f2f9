/**
 * What the line chart draws: each line over its band, its number at its end, and marks where commands
 * took effect.
 *
 * @typedef {import("./closed_bands.js").Band} Band
 * @typedef {import("../model/effect_marks.js").EffectMark} EffectMark
 * @typedef {import("./plot_layout.js").Tokens} Tokens
 * @typedef {import("./plotly.js").Figure} Figure
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
 * @property {readonly EffectMark[]} marks
 * @property {readonly Band[]} bands where gates were closed
 * @property {string} bandWords what a band says when it is pointed at, such as `closed`
 * @property {boolean} log
 * @property {import("../model/view_url.js").StepRange | null} range the steps in sight; null for those of the lines
 * @property {string | null} uirevision what a person zoomed stays while it is the same; null for what the page zooms itself
 * @property {Tokens} tokens
 * @property {number} width px
 */
import { formatNumber, shortenMiddle } from "../base/format.js";
import { escapePlotly } from "./plotly_text.js";

/**
 * The bands, the lines on top of them, and the lines' numbers.
 * @param {LineFigure} chart
 * @returns {Figure[]}
 */
export function lineTraces(chart) {
  const { lines, log } = chart;
  return [
    ...lines.filter(hasBand).map((line) => bandTrace(line, log)),
    ...lines.map((line) => lineTrace(line, log)),
    endTrace(chart),
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
    x: [...line.steps], // a copy: the track grows before it is drawn again
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
export function markTrace({ marks, tokens }) {
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
export function markColor({ gating }, tokens) {
  return tokens[gating ? "state-gated" : "state-frozen"];
}
