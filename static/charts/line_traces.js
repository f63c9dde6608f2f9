/**
 * What the line chart draws: each line over its band, its number at its end, its extreme, what was not
 * finite, and marks where commands took effect and events happened.
 *
 * @typedef {import("../model/step_marks.js").StepMark} StepMark
 * @typedef {import("./plot_layout.js").Tokens} Tokens
 * @typedef {import("./plotly.js").Figure} Figure
 * @typedef {import("./value_axis.js").ValueAxis} ValueAxis
 *
 * @typedef {object} Line
 * @property {string} name
 * @property {number[]} begins
 * @property {number[]} steps
 * @property {(number | null)[]} values
 * @property {(number | null)[]} min
 * @property {(number | null)[]} max
 * @property {string[]} nonfinite
 * @property {string[]} states
 * @property {boolean} everySample is each point one sample?
 * @property {(number | null)[]} [smooth] the values smoothed, drawn over them
 * @property {string} color
 * @property {string} mark the line's number, drawn at its end and in every key: never colour alone
 *
 * @typedef {object} Pen what a line is drawn on and with
 * @property {ValueAxis} axis
 * @property {number} room px
 * @property {readonly [number, number] | null} range the steps in sight; null for those of the lines
 * @property {Tokens} tokens
 */
import { formatCount, formatNumber, shortenMiddle } from "../base/format.js";
import { escapePlotly } from "./plotly_text.js";
import { inSight } from "./track.js";
import { clamped } from "./value_axis.js";

/** Points that are farther apart are drawn as such, px. */
const POINT_PX = 12;
/** The opacity of a band: at least 3:1 to the ground, and the line over it is seen. */
export const BAND = "b3";
const MOST_OUTLIERS = 60;
/** An extreme has its value beside it where it is so many times as far off as this share of all values. */
const OUTLYING = 2;
const USUAL_SHARE = 0.98;
/** Among fewer single samples none is marked as far off. */
const LEAST_VALUES = 8;

/**
 * The bands, the lines on top of them, and what is marked of them.
 * @param {readonly Line[]} lines
 * @param {Pen} pen
 * @returns {Figure[]}
 */
export function lineTraces(lines, pen) {
  return [
    ...lines.filter(hasBand).map((line) => bandTrace(line, pen)),
    ...lines.map((line) => lineTrace(line, pen)),
    ...lines.flatMap((line) => smoothTrace(line, pen)),
    ...lines.flatMap((line) => pointsTrace(line, pen)),
    ...lines.flatMap((line) => outlierTrace({ ...line, ...inSight(line, pen.range) }, pen)),
    ...lines.flatMap((line) => nonfiniteTrace(line, pen)),
    endTrace(lines, pen),
  ];
}

/** Does the line stand for more than its points? @param {Line} line */
function hasBand({ min, max }) {
  return min.some((low, i) => low !== max[i]);
}

/**
 * Closed outlines from minimum to maximum, one for each stretch without a gap, from the first step of its first
 * bucket. What has no place on a log axis is at its foot.
 * @param {Pick<Line, "begins" | "steps" | "min" | "max">} line
 * @param {Pick<ValueAxis, "log" | "range">} axis
 */
export function bandOutline({ begins, steps, min, max }, { log, range }) {
  /** @type {(number | null)[]} */
  const x = [];
  /** @type {(number | null)[]} */
  const y = [];
  let start = 0;
  const isValue = (/** @type {number} */ i) => {
    const high = max[i] ?? null;
    return high !== null && (!log || high > 0);
  };
  const lowest = (/** @type {number | null} */ low) => (log && (low ?? 0) <= 0 ? range[0] : low);
  while (start < steps.length) {
    let end = start;
    while (end < steps.length && isValue(end)) end += 1;
    if (end > start) {
      const along = [begins[start], ...steps.slice(start, end)];
      const [highs, lows] = [max, min].map((column) => [column[start], ...column.slice(start, end)]);
      x.push(...along, ...along.toReversed(), null);
      y.push(...highs, ...lows.map(lowest).toReversed(), null);
    }
    start = end + 1;
  }
  return { x, y };
}

/**
 * @param {Line} line
 * @param {Pen} pen
 */
function bandTrace(line, { axis }) {
  const color = `${line.color}${BAND}`;
  return {
    type: "scatter",
    mode: "lines",
    ...bandOutline(line, axis),
    fill: "toself",
    fillcolor: color,
    line: { width: 1, color },
    hoverinfo: "skip",
    showlegend: false,
  };
}

/**
 * The values that have a place on the axis, null for the others.
 * @param {readonly (number | null)[]} values
 * @param {ValueAxis} axis
 */
function placed(values, { log }) {
  return values.map((value) => (value === null || (log && value <= 0) ? null : value));
}

/**
 * @param {Line} line
 * @param {Pen} pen
 */
function lineTrace(line, { axis }) {
  const name = escapePlotly(shortenMiddle(line.name, 48));
  return {
    type: "scatter",
    mode: "lines",
    name,
    x: [...line.steps], // a copy: the track grows before it is drawn again
    y: placed(line.values, axis),
    text: line.values.map((value, i) => `${name}<br>step ${line.steps[i]} · ${formatNumber(value)}`),
    hovertemplate: "%{text}<extra></extra>",
    line: { color: line.color, width: 1.5 },
    connectgaps: false,
    showlegend: false,
  };
}

/**
 * The smoothed line, over the raw one behind it.
 * @param {Line} line
 * @param {Pen} pen
 */
function smoothTrace({ steps, smooth }, { axis, tokens }) {
  if (smooth === undefined) return [];
  const line = { color: tokens["text"], width: 2 };
  return [{ type: "scatter", mode: "lines", name: "smoothed", x: [...steps], y: placed(smooth, axis), line, hoverinfo: "skip", showlegend: false }];
}

/**
 * The points that no line shows, as they have no neighbour, and all of them where they are far apart.
 * @param {Line} line
 * @param {Pen} pen
 */
function pointsTrace({ steps, values, color }, { axis, room }) {
  const y = placed(values, axis);
  const isFar = steps.length * POINT_PX <= room;
  const isAlone = (/** @type {number} */ i) => (y[i - 1] ?? null) === null && (y[i + 1] ?? null) === null;
  const drawn = steps.map((_, i) => i).filter((i) => y[i] !== null && (isFar || isAlone(i)));
  if (drawn.length === 0) return [];
  return [marksTrace(drawn.map((i) => steps[i]), drawn.map((i) => y[i]), { symbol: "circle", size: 5, color })];
}

/**
 * @param {readonly (number | null)[]} x
 * @param {readonly (number | null)[]} y
 * @param {object} marker
 */
function marksTrace(x, y, marker) {
  return { type: "scatter", mode: "markers", x, y, marker, hoverinfo: "skip", showlegend: false, cliponaxis: false };
}

/**
 * The extreme of a line where it is far off, with its value, or where the line stands for more than its points; and at
 * the edge what lies beyond the axis.
 * @param {Line} line
 * @param {Pen} pen
 * @returns {Figure[]}
 */
function outlierTrace(line, { axis }) {
  const extreme = extremeOf(line, axis.log);
  if (extreme === null) return [];
  const isBeyond = ({ value = 0 }) => clamped(axis, value) !== value;
  const beyond = ends(line).filter(isBeyond);
  const isFar = extreme.outlying && line.values.length >= LEAST_VALUES;
  const shown = hasBand(line) || isBeyond(extreme) || isFar ? [extreme] : [];
  const every = Math.ceil(beyond.length / MOST_OUTLIERS);
  const marks = [...beyond.filter(({ at }, i) => i % every === 0 && at !== extreme.at), ...shown];
  if (marks.length === 0) return [];
  const { color } = line;
  const marker = { symbol: marks.map(({ high }) => (high ? "triangle-up" : "triangle-down")), size: 8, color };
  const trace = marksTrace(marks.map(({ at }) => line.steps[at]), marks.map(({ value }) => clamped(axis, value)), marker);
  const text = marks.map((each) => (each === extreme && extreme.outlying ? ` ${formatNumber(each.value)}` : ""));
  return [{ ...trace, mode: "markers+text", name: "extreme", text, textposition: "middle right", textfont: { size: 11, color } }];
}

/**
 * The highest and the lowest of each bucket.
 * @param {Line} line
 * @returns {{at: number, value: number, high: boolean}[]}
 */
function ends({ max, min }) {
  const of = (/** @type {(number | null)[]} */ column, /** @type {boolean} */ high) =>
    column.flatMap((value, at) => (value === null ? [] : [{ at, value, high }]));
  return [...of(max, true), ...of(min, false)];
}

/**
 * The value of a line that is farthest from its middle, and whether it is much farther than nearly all values.
 * @param {Line} line
 * @param {boolean} log
 */
export function extremeOf(line, log) {
  const scale = (/** @type {number} */ value) => (log ? Math.log10(value) : value);
  const isDrawn = (/** @type {number} */ value) => !log || value > 0;
  const values = line.values.flatMap((value) => (value !== null && isDrawn(value) ? [scale(value)] : [])).sort((a, b) => a - b);
  const middle = values[Math.floor((values.length - 1) / 2)];
  const distances = values.map((value) => Math.abs(value - middle)).sort((a, b) => a - b);
  const usual = distances[Math.min(distances.length - 2, Math.floor(distances.length * USUAL_SHARE))] ?? 0;
  let [found, distance] = [/** @type {ReturnType<typeof ends>[number] | null} */ (null), -1];
  for (const each of ends(line)) {
    if (!isDrawn(each.value)) continue;
    const own = middle === undefined ? 0 : Math.abs(scale(each.value) - middle);
    if (own > distance) [found, distance] = [each, own];
  }
  return found === null ? null : { ...found, outlying: distance > usual * OUTLYING };
}

/**
 * Crosses at the head of the chart where values were NaN or infinite.
 * @param {Line} line
 * @param {Pen} pen
 */
function nonfiniteTrace({ steps, nonfinite }, { axis, tokens }) {
  const drawn = steps.filter((_, i) => nonfinite[i] !== "");
  if (drawn.length === 0) return [];
  const marker = { symbol: "x", size: 7, color: tokens["state-nonfinite"] };
  return [{ ...marksTrace(drawn, drawn.map(() => axis.range[1]), marker), name: "not finite" }];
}

/**
 * The number of each line beside its last value.
 * @param {readonly Line[]} lines
 * @param {Pen} pen
 */
function endTrace(lines, { axis }) {
  const last = lines.flatMap(({ steps, values, mark, color }) => {
    const at = placed(values, axis).findLastIndex((value) => value !== null);
    return at < 0 ? [] : [{ x: steps[at], y: clamped(axis, /** @type {number} */ (values[at])), mark, color }];
  });
  return {
    type: "scatter",
    mode: "text",
    x: last.map(({ x }) => x),
    y: last.map(({ y }) => y),
    text: last.map(({ mark }) => ` <b>${mark}</b>`),
    textposition: "middle right",
    textfont: { size: 11, color: last.map(({ color }) => color) },
    hoverinfo: "skip",
    showlegend: false,
    cliponaxis: false,
  };
}

/**
 * Marks at the head of the chart, of commands and events.
 * @param {readonly StepMark[]} marks
 * @param {Tokens} tokens
 */
export function markTrace(marks, tokens) {
  const colors = marks.map((mark) => markColor(mark, tokens));
  return {
    type: "scatter",
    mode: "markers",
    yaxis: "y2",
    x: marks.map(({ step }) => step),
    y: marks.map(() => 1),
    text: marks.map(({ step, label }) => `${escapePlotly(shortenMiddle(label, 64))}<br>step ${formatCount(step)}`),
    hovertemplate: "%{text}<extra></extra>",
    marker: {
      symbol: marks.map(markSymbol),
      size: 8,
      color: colors,
      line: { width: 1.5, color: colors },
    },
    showlegend: false,
    cliponaxis: false,
  };
}

/** @param {Pick<StepMark, "kind" | "gating">} mark */
function markSymbol({ kind, gating }) {
  if (kind === "command") return gating ? "square-x-open" : "asterisk-open";
  return kind === "alert" ? "triangle-down" : "triangle-down-open";
}

/**
 * @param {Pick<StepMark, "kind" | "gating">} mark
 * @param {Tokens} tokens
 */
export function markColor({ kind, gating }, tokens) {
  if (kind === "command") return tokens[gating ? "state-gated" : "state-frozen"];
  return tokens[kind === "alert" ? "state-nonfinite" : "muted"];
}
