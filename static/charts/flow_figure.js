/**
 * The flow chart as a Plotly figure: log norm along the depth of the model.
 *
 * A gradient with a norm has its place on the log axis. What has none lies in a strip below it,
 * one labelled row a state: a state is never the low end of the ramp.
 *
 * @typedef {import("./axis_names.js").PlacedName} PlacedName
 * @typedef {import("./depth_axis.js").Block} Block
 * @typedef {import("./flow_traces.js").Flow} Flow
 * @typedef {import("./plotly.js").Figure} Figure
 */
import { decadesBetween } from "../model/norm_scale.js";
import { stateOf } from "../model/states.js";
import { axisNames } from "./axis_names.js";
import { topOf } from "./depth_axis.js";
import { flowTraces } from "./flow_traces.js";
import { plotLayout } from "./plot_layout.js";
import { escapePlotly, powerOfTen } from "./plotly_text.js";

const MARGIN = Object.freeze({ l: 76, r: 62, t: 8, b: 24 });
const STRIP_ROW = 17;
const NAMES_ROW = 14;
/** Separators nearer to one another than this are a grey ground, and say nothing. */
const LEAST_BLOCK = 6;

/**
 * @param {Flow} flow
 * @returns {{data: Figure[], layout: Figure}}
 */
export function flowFigure(flow) {
  const perPixel = flow.parameters.length / Math.max(1, flow.width - MARGIN.l - MARGIN.r);
  const { near, around } = axisNames(flow.blocks, perPixel);
  const rows = near.length + (around.length > 0 ? 1 : 0);
  const bottom = MARGIN.b + Math.max(0, rows - 1) * NAMES_ROW;
  const inner = Math.max(60, flow.height - MARGIN.t - bottom);
  const strip = Math.min(0.55, (flow.stripStates.length * STRIP_ROW) / inner);
  return {
    data: flowTraces(flow),
    layout: { ...layout(flow, strip, inner, perPixel), ...nameAxis(flow, near, around), margin: { ...MARGIN, b: bottom } },
  };
}

/**
 * @param {Flow} flow
 * @param {number} strip the strip's share of the height
 * @param {number} inner px
 * @param {number} perPixel places
 */
function layout(flow, strip, inner, perPixel) {
  const { tokens, extent } = flow;
  const gap = strip === 0 ? 0 : Math.min(0.1, 10 / inner);
  const decades = decadesBetween(extent);
  const every = Math.max(1, Math.ceil(decades.length / Math.max(2, (inner * (1 - strip)) / 26)));
  const shown = decades.filter((decade) => (decade - extent[1]) % every === 0);
  return {
    ...plotLayout(tokens),
    uirevision: "flow",
    hoverdistance: 12,
    yaxis: {
      type: "log",
      domain: [strip + gap, 1],
      range: [extent[0] - 0.12, extent[1] + 0.12],
      tickvals: shown.map((decade) => 10 ** decade),
      ticktext: shown.map(powerOfTen),
      gridcolor: tokens["line"],
      zeroline: false,
      ticks: "",
      ticklabelstandoff: 6,
    },
    yaxis2: {
      domain: [0, strip],
      range: [Math.max(1, flow.stripStates.length) - 0.5, -0.5],
      visible: strip > 0,
      tickvals: flow.stripStates.map((_code, row) => row),
      ticktext: flow.stripStates.map((code) => {
        const { name } = stateOf(code);
        return `<span style="color:${tokens[`state-${name}`]}">${name}</span>`;
      }),
      gridcolor: tokens["line"],
      zeroline: false,
      fixedrange: true,
      ticks: "",
      ticklabelstandoff: 6,
    },
    shapes: separators(flow, strip, perPixel),
  };
}

/**
 * @param {Flow} flow
 * @param {readonly PlacedName[][]} near
 * @param {readonly PlacedName[]} around
 */
function nameAxis({ parameters, tokens }, near, around) {
  const row = (/** @type {readonly PlacedName[]} */ names, /** @type {number} */ number, /** @type {string} */ color) =>
    names.map(({ at, shift, text }) => ({
      x: at,
      xref: "x",
      xshift: shift,
      y: 0,
      yref: "paper",
      yshift: -3 - number * NAMES_ROW,
      yanchor: "top",
      text: escapePlotly(text),
      showarrow: false,
      font: { size: 11, color: tokens[color] },
    }));
  return {
    xaxis: {
      anchor: "free",
      position: 0,
      range: [-0.6, Math.max(1, parameters.length) - 0.4],
      showticklabels: false,
      showgrid: false,
      zeroline: false,
      ticks: "",
    },
    annotations: [...near.flatMap((names, number) => row(names, number, "muted")), ...row(around, near.length, "text")],
  };
}

/**
 * Lines between blocks that are wide enough to be told apart, and the ground of the strip.
 * @param {Flow} flow
 * @param {number} strip
 * @param {number} perPixel places
 */
function separators({ blocks, tokens }, strip, perPixel) {
  const isWide = (/** @type {Block} */ { first, last }) => last - first + 1 >= LEAST_BLOCK * perPixel;
  const seen = blocks.filter((block, i) => i === 0 || isWide(block) || isWide(blocks[i - 1]));
  const shapes = seen.slice(1).map(({ first, path }, i) => ({
    type: "line",
    layer: "below",
    xref: "x",
    yref: "paper",
    x0: first - 0.5,
    x1: first - 0.5,
    y0: 0,
    y1: 1,
    line: {
      color: tokens[topOf(path) === topOf(seen[i].path) ? "line" : "line-strong"],
      width: 1,
    },
  }));
  if (strip === 0) return shapes;
  const band = {
    type: "rect",
    layer: "below",
    xref: "paper",
    yref: "paper",
    x0: 0,
    x1: 1,
    y0: 0,
    y1: strip,
    fillcolor: tokens["sunken"],
    line: { width: 0 },
  };
  return [band, ...shapes];
}
