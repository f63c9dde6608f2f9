/**
 * What the heat map says: its caption, and of a cell.
 *
 * @typedef {import("./cells.js").Cells} Cells
 * @typedef {import("../link/statistics.js").StatisticName} StatisticName
 * @typedef {import("../model/view_url.js").CellFigure} CellFigure
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 */
import { formatCount, formatNumber, plural } from "../base/format.js";
import { STATISTICS } from "../link/statistics.js";
import { stateOf } from "../model/states.js";
import { moduleAround, NEIGHBOURS } from "./heatmap_request.js";
import { spanOf } from "../model/step_range.js";

/** @type {{readonly [K in CellFigure]: string}} */
export const FIGURES = Object.freeze({ max: "greatest", min: "least", mean: "mean" });

/**
 * "1 px = 12 steps": how much one pixel of the chart stands for.
 * @param {StepRange} range
 * @param {number} width px
 */
export function pixelWords(range, width) {
  const steps = spanOf(range) / Math.max(1, width);
  return steps >= 1 ? `1 px = ${stepWords(steps)}` : `1 step = ${formatNumber(1 / steps)} px`;
}

/** @param {number} steps */
function stepWords(steps) {
  const rounded = steps < 10 ? Number(steps.toPrecision(2)) : Math.round(steps);
  return `${rounded < 10 ? rounded : formatCount(rounded)} ${rounded === 1 ? "step" : "steps"}`;
}

/**
 * The true resolution of what is seen.
 * @param {Cells} cells
 * @param {StepRange} range in sight
 * @param {number} width px
 * @param {CellFigure} of
 * @param {StatisticName} stat
 */
export function captionOf(cells, range, width, of, stat) {
  const shown = Array.from(cells.first, (first, i) => cells.last[i] - first + 1).filter((_, i) => cells.ends[i] > range[0] && cells.first[i] <= range[1]);
  if (shown.length === 0) return pixelWords(range, width);
  const usual = shown.sort((a, b) => a - b)[Math.floor(shown.length / 2)];
  const cell = usual === 1 ? "one sample" : stepWords(usual);
  return `${pixelWords(range, width)}; a cell is ${cell}: ${FIGURES[of]} ${STATISTICS[stat].label.toLowerCase()}, worst state`;
}

/**
 * The module that all rows lie in, "" for the model itself; a row never is what it lies in.
 * @param {readonly string[]} names
 */
export function sharedModule(names) {
  const paths = names.flatMap((name) => name.split(NEIGHBOURS));
  const around = paths.reduce(moduleAround, paths[0] ?? "");
  return paths.includes(around) ? around.split(".").slice(0, -1).join(".") : around;
}

/**
 * What a row is called inside of a module: "layers.0 … 3" for neighbours of one module.
 * @param {string} name
 * @param {string} within
 */
export function rowLabel(name, within) {
  const inside = (/** @type {string} */ path) => (within !== "" && path.startsWith(`${within}.`) ? path.slice(within.length + 1) : path);
  const [first, last] = name.split(NEIGHBOURS).map(inside);
  if (last === undefined) return first;
  const around = moduleAround(first, last);
  return `${first}${NEIGHBOURS}${around === "" ? last : last.slice(around.length + 1) || last}`;
}

/**
 * The lines that name a cell: the row, its parameters, the steps, the figure, the state.
 * @param {Cells} cells
 * @param {number} row
 * @param {number} step
 * @param {CellFigure} of
 * @param {StatisticName} stat
 * @returns {string[]}
 */
export function cellLines(cells, row, step, of, stat) {
  const size = cells.sizes[row];
  const name = size === 1 ? cells.names[row] : `${cells.names[row]} (${plural(size, "parameter")})`;
  const column = cells.columnAt(step);
  if (column < 0) return [name, `Step ${formatCount(step)}: no sample`];
  const [first, last] = [cells.first[column], cells.last[column]];
  const steps = first === last ? `Step ${formatCount(first)}` : `Steps ${formatCount(first)} to ${formatCount(last)}`;
  const { name: state, meaning } = stateOf(cells.states[row * cells.columns + column]);
  const told = size === 1 && first === last ? meaning : `${meaning} (the worst of them)`;
  return [name, steps, figureWords(cells, row, column, of, stat), state === "present" ? "present" : `${state}: ${told}`];
}

/**
 * The same lines, with the figures as the server has them in the place of what the colour tells.
 * @param {readonly string[]} lines
 * @param {import("./cell_figures.js").CellFigures} figures
 * @param {StatisticName} stat
 */
export function exactLines([name, steps, , state], { samples, last, least, greatest }, stat) {
  const { label } = STATISTICS[stat];
  const figures = samples === 1 ? [`${label}: ${last === null ? "not finite, or none" : formatNumber(last.value)}`] : [
    `${label} of ${plural(samples, "sample")}`,
    greatest === null ? "none is finite" : `greatest ${figureAt(greatest)}`,
    ...(least === null ? [] : [`least ${figureAt(least)}`]),
    last === null ? "last: not finite, or none" : `last ${figureAt(last)}`,
  ];
  return [name, steps, ...figures, state];
}

/**
 * The same lines of several parameters, with the figure as the server has it, and in which of them it is.
 * @param {readonly string[]} lines
 * @param {{value: number, row: string}} figure
 * @param {{row: string, of: CellFigure, stat: StatisticName}} cell
 */
export function groupLines([name, steps, , state], { value, row }, cell) {
  const where = row === cell.row ? "" : ` in ${rowLabel(row, cell.row)}`;
  return [name, steps, `${STATISTICS[cell.stat].label}, ${FIGURES[cell.of]}: ${formatNumber(value)}${where}`, state];
}

/** @param {import("./cell_figures.js").FigureAt} figure */
function figureAt({ value, from, to }) {
  const where = from === to ? `at step ${formatCount(to)}` : `between steps ${formatCount(from)} and ${formatCount(to)}`;
  return `${formatNumber(value)} ${where}`;
}

/**
 * @param {Cells} cells
 * @param {number} row
 * @param {number} column
 * @param {CellFigure} of
 * @param {StatisticName} stat
 */
function figureWords(cells, row, column, of, stat) {
  const label = STATISTICS[stat].label;
  const value = cells.valueOf(row, column);
  if (Number.isNaN(value)) return `${label}: no value`;
  if (value === 0) return `${label}: 0`;
  const single = cells.sizes[row] === 1 && cells.first[column] === cells.last[column];
  return `${label}${single ? "" : `, ${FIGURES[of]}`}: ${formatNumber(value)}${marginWords(cells.precision)}`;
}

/**
 * How far a figure may be off: " ± 1.8 %", or nothing for next to nothing.
 * @param {number} precision as a share
 */
export function marginWords(precision) {
  const off = precision * 100;
  return off < 0.05 ? "" : ` ± ${off < 9.95 ? off.toPrecision(2) : Math.round(off)} %`;
}
