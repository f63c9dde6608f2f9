/**
 * The flow chart as a Plotly figure: log norm along the depth of the model.
 *
 * A gradient with a norm has its place on the log axis. What has none lies in a strip below it,
 * one labelled row a state: a state is never the low end of the ramp.
 *
 * @typedef {import("./plotly.js").Figure} Figure
 * @typedef {import("../wire.js").ParameterRow} ParameterRow
 * @typedef {import("./parameter_columns.js").Columns} Columns
 * @typedef {import("./parameter_columns.js").Mark} Mark
 * @typedef {Record<string, string>} Tokens colours by name, as the theme has them
 *
 * @typedef {object} Flow
 * @property {Columns} columns
 * @property {readonly ParameterRow[]} parameters by place on the axis, as all that follows
 * @property {readonly {label: string, path: string, first: number, last: number}[]} blocks
 * @property {readonly [number, number]} domain decades of the ramp
 * @property {readonly [number, number]} extent decades of the axis
 * @property {readonly number[]} stripStates wire codes of the strip's rows, top to bottom
 * @property {ReadonlyMap<number, string>} selected colours of the selected parameters, by place
 * @property {Uint8Array | null} matched 1 for each parameter that the filter lets through
 * @property {number | null} step of the sample
 * @property {number} width px
 * @property {number} height px
 * @property {Tokens} tokens
 */
import { formatNumber, plural, shortenMiddle } from "../base/format.js";
import { COLORSCALE, decadesBetween, powerOfTen } from "../model/norm_scale.js";
import { stateOf } from "../model/states.js";
import { blockNames, topOf } from "./depth_axis.js";
import { escapePlotly } from "./plotly_text.js";

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
  const rows = flow.stripStates.length;
  const strip = rows === 0 ? 0 : Math.min(0.55, (rows * STRIP_ROW) / inner);
  /** @type {Figure[]} */
  const data = [rangeTrace(flow)];
  for (const [code, marks] of [...flow.columns.marks].sort((a, b) => a[0] - b[0])) {
    const placed = marks.filter((mark) => !Number.isNaN(mark.norm));
    const unplaced = marks.filter((mark) => Number.isNaN(mark.norm));
    if (placed.length > 0) data.push(placedTrace(flow, code, placed));
    if (unplaced.length > 0) data.push(stripTrace(flow, code, unplaced));
  }
  data.push(selectedTrace(flow));
  return { data, layout: { ...layout(flow, strip, inner), ...nameAxis(flow, names), margin: { ...MARGIN, b: bottom } } };
}

/** @param {Flow} flow */
function rangeTrace({ columns, matched, tokens }) {
  const ranges = columns.ranges.filter(({ x }) => matched === null || matched[Math.round(x)] === 1);
  return {
    type: "scatter",
    mode: "lines",
    x: ranges.flatMap(({ x }) => [x, x, null]),
    y: ranges.flatMap(({ low, high }) => [low, high, null]),
    line: { color: tokens["band"], width: columns.perColumn > 1 ? 2 : 4 },
    hoverinfo: "skip",
    showlegend: false,
  };
}

/**
 * @param {Flow} flow
 * @param {number} code
 * @param {Mark[]} marks
 */
function placedTrace(flow, code, marks) {
  const { tokens, domain } = flow;
  const state = stateOf(code);
  const present = state.name === "present";
  const color = present
    ? { color: marks.map((mark) => Math.log10(mark.norm)), ...colorAxis(domain, tokens) }
    : { color: tokens[`state-${state.name}`] };
  return {
    ...common(flow, marks, state.name),
    y: marks.map((mark) => mark.norm),
    marker: {
      symbol: state.symbol,
      size: markSize(flow.columns),
      opacity: marks.map((mark) => (isDimmed(flow, mark) ? 0.2 : 1)),
      line: { width: present ? 0.75 : 1.5, color: tokens[present ? "mark-outline" : `state-${state.name}`] },
      ...color,
    },
  };
}

/**
 * @param {readonly [number, number]} domain
 * @param {Tokens} tokens
 */
function colorAxis(domain, tokens) {
  const decades = decadesBetween(domain);
  return {
    cmin: domain[0],
    cmax: domain[1],
    colorscale: COLORSCALE,
    colorbar: {
      thickness: 8,
      len: 1,
      lenmode: "fraction",
      y: 1,
      yanchor: "top",
      x: 1.012,
      xpad: 0,
      ypad: 0,
      outlinewidth: 0,
      tickvals: decades,
      ticktext: decades.map(powerOfTen),
      tickfont: { size: 11, color: tokens["muted"] },
      ticklen: 0,
      title: { text: "norm", side: "right", font: { size: 11, color: tokens["muted"] } },
    },
  };
}

/**
 * @param {Flow} flow
 * @param {number} code
 * @param {Mark[]} marks
 */
function stripTrace(flow, code, marks) {
  const state = stateOf(code);
  const color = flow.tokens[`state-${state.name}`];
  return {
    ...common(flow, marks, state.name),
    y: marks.map(() => flow.stripStates.indexOf(code)),
    yaxis: "y2",
    marker: {
      symbol: state.symbol,
      size: Math.min(8, markSize(flow.columns) + 1),
      color,
      opacity: marks.map((mark) => (isDimmed(flow, mark) ? 0.2 : 1)),
      line: { width: 1.5, color },
    },
  };
}

/**
 * @param {Flow} flow
 * @param {Mark[]} marks
 * @param {string} name
 */
function common(flow, marks, name) {
  return {
    type: "scatter",
    mode: "markers",
    name,
    x: marks.map((mark) => mark.x),
    text: marks.map((mark) => hoverText(flow, mark)),
    customdata: marks.map((mark) => mark.x),
    hovertemplate: "%{text}<extra></extra>",
    showlegend: false,
    cliponaxis: false,
  };
}

/** @param {Flow} flow */
function selectedTrace({ selected, columns, tokens }) {
  const marks = [...columns.marks.values()].flat().filter((mark) => selected.has(mark.x));
  const placed = marks.filter((mark) => !Number.isNaN(mark.norm));
  return {
    type: "scatter",
    mode: "markers",
    x: placed.map((mark) => mark.x),
    y: placed.map((mark) => mark.norm),
    marker: {
      symbol: "circle-open",
      size: markSize(columns) + 7,
      color: placed.map((mark) => selected.get(mark.x) ?? tokens["text"]),
      line: { width: 2 },
    },
    hoverinfo: "skip",
    showlegend: false,
    cliponaxis: false,
  };
}

/**
 * @param {Flow} flow
 * @param {Mark} mark
 */
function hoverText({ parameters, step }, mark) {
  const name = escapePlotly(shortenMiddle(parameters[mark.x]?.name ?? "", 64));
  const norm = Number.isNaN(mark.norm) ? "no norm" : `norm ${formatNumber(mark.norm)}`;
  const others = mark.count > 1 ? `<br>largest of ${plural(mark.count, "parameter")} here` : "";
  const at = step === null ? "" : ` · step ${step}`;
  return `<b>${name}</b><br>${stateOf(mark.state).name} · ${norm}${at}${others}`;
}

/** @param {Columns} columns */
function markSize(columns) {
  const marks = [...columns.marks.values()].reduce((sum, each) => sum + each.length, 0);
  if (marks <= 150) return 8;
  return marks <= 400 ? 6 : 4;
}

/**
 * @param {Flow} flow
 * @param {Mark} mark
 */
function isDimmed({ matched }, mark) {
  return matched !== null && matched[mark.x] !== 1;
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
    uirevision: "flow",
    autosize: true,
    showlegend: false,
    hovermode: "closest",
    hoverdistance: 12,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: tokens["font"], size: 11, color: tokens["muted"] },
    hoverlabel: {
      bgcolor: tokens["panel"],
      bordercolor: tokens["line-strong"],
      font: { family: tokens["font"], size: 12, color: tokens["text"] },
      align: "left",
    },
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
