/**
 * Lines over steps as a Plotly figure, in one pane or in several below one another that share the steps.
 *
 * Each line is the last value of its bucket over a band from the lowest to the highest; a step
 * where there was no value, and where nothing was measured, is a gap. Vertical marks stand where commands took effect, within the
 * range in sight, or else the steps of the lines: no mark makes the axis wider.
 *
 * @typedef {import("./line_traces.js").Line} Line
 * @typedef {import("./plotly.js").Figure} Figure
 * @typedef {import("./plot_layout.js").Tokens} Tokens
 * @typedef {import("./closed_bands.js").Band} Band
 * @typedef {import("./value_axis.js").ValueAxis} ValueAxis
 * @typedef {import("../model/step_marks.js").StepMark} StepMark
 *
 * @typedef {object} Pane
 * @property {readonly Line[]} lines
 * @property {boolean} log
 * @property {string} title "" for none
 * @property {readonly number[]} [also] values that are to have their place on the axis
 *
 * @typedef {object} LineFigure
 * @property {readonly Pane[]} panes from the top
 * @property {readonly StepMark[]} marks
 * @property {readonly Band[]} bands where gates were closed
 * @property {string} bandWords what a band says when it is pointed at, such as `closed`
 * @property {import("../model/view_url.js").StepRange | null} range the steps in sight; null for those of the lines
 * @property {string | null} uirevision what a person zoomed stays while it is the same; null for what the page zooms itself
 * @property {Tokens} tokens
 * @property {number} width px
 * @property {number} height px
 */
import { gateTraces } from "./band_traces.js";
import { withGaps } from "./line_gaps.js";
import { lineTraces, markColor, markTrace } from "./line_traces.js";
import { plotLayout } from "./plot_layout.js";
import { escapePlotly } from "./plotly_text.js";
import { inSight, stepRange } from "./track.js";
import { valueAxis } from "./value_axis.js";

/** Around the panes, px. */
export const MARGIN = Object.freeze({ l: 64, r: 24, t: 14, b: 24 });
const MOST_STEPS = 8;
/** Of a step's label and the gap to the next, px. */
const STEP_ROOM = 80;
const ROOM_AT_END = 0.03;
/** Between panes, for the title of the lower one, px. */
const PANE_GAP = 22;

/**
 * @param {LineFigure} chart
 * @returns {{data: Figure[], layout: Figure}}
 */
export function lineFigure(chart) {
  const { panes, range, tokens, width } = chart;
  const lines = panes.flatMap((pane) => pane.lines);
  const ends = range ?? stepRange(lines);
  const marks = chart.marks.filter(({ step }) => step >= ends[0] && step <= ends[1]);
  const axes = panes.map((pane) => axisOf(pane, range));
  const room = width - MARGIN.l - MARGIN.r;
  return {
    data: [
      ...gateTraces(chart.bands, chart.bandWords, tokens),
      ...panes.flatMap((pane, i) => lineTraces(pane.lines.map(withGaps), { axis: axes[i], room, range, tokens }).map((trace) => ({ ...trace, yaxis: nameOf(i) }))),
      markTrace(marks, tokens),
    ],
    layout: { ...layout(chart, marks, stepsInSight(range, lines)), ...paneAxes(chart, axes) },
  };
}

/**
 * What the range of steps is, with room for the lines' numbers at the end of a whole run.
 * @param {LineFigure["range"]} range
 * @param {readonly Line[]} lines
 * @returns {[number, number]}
 */
export function stepsInSight(range, lines) {
  const [first, last] = range ?? stepRange(lines);
  if (range !== null || !(last > first)) return [first - 0.5, last + 0.5];
  return [first, last + (last - first) * ROOM_AT_END];
}

/**
 * The axis of a pane's values: of those in sight, and the raw ones too where a smoothed line is drawn over them.
 * Whoever zoomed in until every sample is drawn looks at a value that is far off, too: there it is no outlier.
 * @param {Pane} pane
 * @param {LineFigure["range"]} range
 */
function axisOf({ lines, log, also }, range) {
  const seen = lines.map((line) => inSight(line, range)).filter(({ steps }) => steps.length > 0);
  const isClose = range !== null && lines.every(({ everySample }) => everySample);
  return valueAxis(seen.length > 0 ? seen : lines, log, { also, outliers: !isClose });
}

/** Plotly's name of a pane's axis: `y2` is that of the marks. @param {number} pane */
function nameOf(pane) {
  return pane === 0 ? "y" : `y${pane + 2}`;
}

/**
 * @param {LineFigure} chart
 * @param {readonly StepMark[]} marks
 * @param {[number, number]} range
 */
function layout({ panes, uirevision, tokens, width }, marks, range) {
  return {
    ...plotLayout(tokens),
    uirevision,
    margin: { ...MARGIN, t: panes[0]?.title ? MARGIN.t + PANE_GAP / 2 : MARGIN.t },
    hoverdistance: 16,
    xaxis: {
      ...axisStyle(tokens),
      showgrid: false,
      ...stepTicks(range, Math.min(MOST_STEPS, Math.max(1, Math.floor(width / STEP_ROOM)))),
      tickangle: 0,
      tickformat: ",d",
      range,
      anchor: panes.length > 1 ? nameOf(panes.length - 1) : "y",
    },
    shapes: marks.filter(({ kind }) => kind === "command").map((mark) => ruleAt(mark.step, markColor(mark, tokens))),
  };
}

/**
 * Ticks at whole steps only, also where there is room for more ticks than steps.
 * @param {[number, number]} range
 * @param {number} most ticks
 */
function stepTicks([first, last], most) {
  if (last - first >= most) return { nticks: most };
  const from = Math.ceil(first);
  return { tickmode: "array", tickvals: Array.from({ length: Math.floor(last) - from + 1 }, (_, i) => from + i) };
}

/** @param {Tokens} tokens */
function axisStyle(tokens) {
  return { gridcolor: tokens["line"], zeroline: false, ticks: "", ticklabelstandoff: 6 };
}

/**
 * @param {number} step
 * @param {string} color
 */
function ruleAt(step, color) {
  return { type: "line", layer: "below", xref: "x", yref: "paper", x0: step, x1: step, y0: 0, y1: 1, line: { color, width: 1, dash: "dot" } };
}

/**
 * The axis of each pane, the title over it, and the axis of the marks over all of them.
 * @param {LineFigure} chart
 * @param {readonly ValueAxis[]} axes
 */
function paneAxes({ panes, tokens, height }, axes) {
  const gap = Math.min(0.2, PANE_GAP / Math.max(1, height - MARGIN.t - MARGIN.b));
  const share = (1 - gap * (panes.length - 1)) / Math.max(1, panes.length);
  const topOf = (/** @type {number} */ i) => 1 - i * (share + gap);
  const named = panes.map((_, i) => {
    const { log, range, ticks } = axes[i];
    return [
      nameOf(i).replace("y", "yaxis"),
      {
        ...axisStyle(tokens),
        type: log ? "log" : "linear",
        range: log ? range.map(Math.log10) : range,
        tickvals: ticks.map(({ value }) => value),
        ticktext: ticks.map(({ text }) => text),
        fixedrange: true,
        domain: [Math.max(0, topOf(i) - share), topOf(i)],
        anchor: "x",
      },
    ];
  });
  return {
    ...Object.fromEntries(named),
    yaxis2: { ...(panes.length > 1 ? { domain: [0, 1], anchor: "x" } : { overlaying: "y" }), range: [0, 1], visible: false, fixedrange: true },
    annotations: panes.flatMap(({ title }, i) => (title === "" ? [] : [titleAt(title, topOf(i), tokens)])),
  };
}

/**
 * @param {string} title
 * @param {number} y
 * @param {Tokens} tokens
 */
function titleAt(title, y, tokens) {
  const font = { size: 11, color: tokens["muted"] };
  return { text: escapePlotly(title), xref: "paper", yref: "paper", x: 0, y, xanchor: "left", yanchor: "bottom", showarrow: false, font };
}
