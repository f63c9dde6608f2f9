/**
 * What the flow chart draws: a mark for each state of a column, and the range of its norms.
 *
 * @typedef {import("../model/records.js").ParameterRow} ParameterRow
 * @typedef {import("./depth_axis.js").Block} Block
 * @typedef {import("./parameter_columns.js").Columns} Columns
 * @typedef {import("./parameter_columns.js").Mark} Mark
 * @typedef {import("./plot_layout.js").Tokens} Tokens
 * @typedef {import("./plotly.js").Figure} Figure
 *
 * @typedef {object} Flow
 * @property {Columns} columns
 * @property {Float32Array} norms by place on the axis, as all that follows
 * @property {Uint8Array} states
 * @property {Float32Array} lows lowest norm of the last samples
 * @property {Float32Array} highs
 * @property {readonly ParameterRow[]} parameters
 * @property {readonly Block[]} blocks
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
import { COLORSCALE, decadesBetween, isPlottable } from "../model/norm_scale.js";
import { stateOf } from "../model/states.js";
import { escapePlotly, powerOfTen } from "./plotly_text.js";

/**
 * The range of each column, then the marks by state, and the selected ones' rings on top.
 * @param {Flow} flow
 * @returns {Figure[]}
 */
export function flowTraces(flow) {
  /** @type {Figure[]} */
  const traces = [rangeTrace(flow)];
  for (const [code, marks] of [...flow.columns.marks].sort((a, b) => a[0] - b[0])) {
    const placed = marks.filter((mark) => !Number.isNaN(mark.norm));
    const unplaced = marks.filter((mark) => Number.isNaN(mark.norm));
    if (placed.length > 0) traces.push(placedTrace(flow, code, placed));
    if (unplaced.length > 0) traces.push(stripTrace(flow, code, unplaced));
  }
  return [...traces, ...selectedTraces(flow)];
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

/**
 * A ring around each selected parameter at its own norm, or in the row of its state. In a column of several it has
 * a dot too: the column's mark may stand for another.
 * @param {Flow} flow
 * @returns {Figure[]}
 */
function selectedTraces(flow) {
  const { norms, states, stripStates, selected } = flow;
  const places = [...selected.keys()];
  const placed = places.filter((place) => isPlottable(norms[place]));
  const unplaced = places.filter((place) => !isPlottable(norms[place]) && stripStates.includes(states[place]));
  const inStrip = unplaced.map((place) => stripStates.indexOf(states[place]));
  // A trace without points would give the strip's axes a layer that takes the pointer, also where there is no strip.
  return [
    ...(placed.length > 0 ? [ringTrace(flow, placed, placed.map((place) => norms[place]))] : []),
    ...(unplaced.length > 0 ? [{ ...ringTrace(flow, unplaced, inStrip), yaxis: "y2" }] : []),
  ];
}

/**
 * @param {Flow} flow
 * @param {readonly number[]} places
 * @param {readonly number[]} y
 * @returns {Figure}
 */
function ringTrace({ selected, columns, tokens }, places, y) {
  return {
    type: "scatter",
    mode: "markers",
    x: places,
    y,
    marker: {
      symbol: columns.perColumn > 1 ? "circle-open-dot" : "circle-open",
      size: markSize(columns) + 7,
      color: places.map((place) => selected.get(place) ?? tokens["text"]),
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
function hoverText({ parameters, step, lows, highs }, mark) {
  const name = escapePlotly(shortenMiddle(parameters[mark.x]?.name ?? "", 64));
  const norm = Number.isNaN(mark.norm) ? "no norm" : `norm ${formatNumber(mark.norm)}`;
  const others = mark.count > 1 ? `<br>largest of ${plural(mark.count, "parameter")} here` : "";
  const at = step === null ? "" : ` · step ${step}`;
  const known = lows[mark.x] < highs[mark.x];
  const band = known ? `<br>of late ${formatNumber(lows[mark.x])} to ${formatNumber(highs[mark.x])}` : "";
  return `<b>${name}</b><br>${stateOf(mark.state).name} · ${norm}${at}${band}${others}`;
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
