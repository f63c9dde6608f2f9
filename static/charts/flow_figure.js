/**
 * The flow chart as a Plotly figure: log norm along the depth of the model.
 *
 * A gradient with a norm has its place on the log axis. What has none lies in a strip below it,
 * one labelled row a state: a state is never the low end of the ramp.
 *
 * @typedef {import("./flow_traces.js").Flow} Flow
 * @typedef {import("./plotly.js").Figure} Figure
 */
import { decadesBetween } from "../model/norm_scale.js";
import { stateOf } from "../model/states.js";
import { blockNames, topOf } from "./depth_axis.js";
import { flowTraces } from "./flow_traces.js";
import { plotLayout } from "./plot_layout.js";
import { escapePlotly, powerOfTen } from "./plotly_text.js";

const MARGIN = Object.freeze({ l: 76, r: 62, t: 8, b: 24 });
const STRIP_ROW = 17;
const NAMES_ROW = 15;

/**
 * @param {Flow} flow
 * @returns {{data: Figure[], layout: Figure}}
 */
export function flowFigure(flow) {
  const names = blockNames(flow.blocks, flow.parameters.length / (flow.width - MARGIN.l - MARGIN.r));
  const bottom = MARGIN.b + (names.below.length > 0 ? NAMES_ROW : 0);
  const inner = Math.max(60, flow.height - MARGIN.t - bottom);
  const strip = Math.min(0.55, (flow.stripStates.length * STRIP_ROW) / inner);
  return {
    data: flowTraces(flow),
    layout: { ...layout(flow, strip, inner), ...nameAxis(flow, names), margin: { ...MARGIN, b: bottom } },
  };
}

/**
 * @param {Flow} flow
 * @param {number} strip the strip's share of the height
 * @param {number} inner px
 */
function layout(flow, strip, inner) {
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
    shapes: separators(flow, strip),
  };
}

/**
 * @param {Flow} flow
 * @param {import("./depth_axis.js").BlockNames} names
 */
function nameAxis({ parameters, tokens }, { near, below }) {
  const font = { size: 11, color: tokens["muted"] };
  return {
    xaxis: {
      anchor: "free",
      position: 0,
      range: [-0.6, Math.max(1, parameters.length) - 0.4],
      tickvals: near.map(({ at }) => at),
      ticktext: near.map(({ text }) => escapePlotly(text)),
      tickangle: 0,
      tickfont: font,
      showgrid: false,
      zeroline: false,
      ticks: "",
      ticklabelstandoff: 4,
    },
    annotations: below.map(({ at, text }) => ({
      x: at,
      xref: "x",
      y: 0,
      yref: "paper",
      yshift: -20,
      yanchor: "top",
      text: escapePlotly(text),
      showarrow: false,
      font: { ...font, color: tokens["text"] },
    })),
  };
}

/**
 * @param {Flow} flow
 * @param {number} strip
 */
function separators({ blocks, tokens }, strip) {
  const shapes = blocks.slice(1).map(({ first, path }, i) => ({
    type: "line",
    layer: "below",
    xref: "x",
    yref: "paper",
    x0: first - 0.5,
    x1: first - 0.5,
    y0: 0,
    y1: 1,
    line: {
      color: tokens[topOf(path) === topOf(blocks[i].path) ? "line" : "line-strong"],
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
