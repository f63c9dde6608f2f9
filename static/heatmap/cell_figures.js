/**
 * The figures of a cell as the server has them, which the colour of the cell only tells about.
 *
 * @typedef {import("../link/statistics.js").StatisticName} StatisticName
 * @typedef {import("../model/view_url.js").CellFigure} CellFigure
 *
 * @typedef {object} CellAt
 * @property {string} row a parameter, a module, or neighbours
 * @property {StatisticName} stat
 * @property {number} first step
 * @property {number} last step
 *
 * @typedef {object} FigureAt
 * @property {number} value
 * @property {number} from the figure is of a step from here
 * @property {number} to to here: the same step where it is known
 *
 * @typedef {object} CellFigures
 * @property {number} samples
 * @property {FigureAt | null} last null where the last value is not finite
 * @property {FigureAt | null} least
 * @property {FigureAt | null} greatest
 */
const POINTS = 600;
const GROUP_ROWS = 256;
const GROUP_COLUMNS = 64;

/** What tells the figures of a cell of one parameter. @param {CellAt} cell */
export function seriesQuery({ row, stat, first, last }) {
  return `series?${new URLSearchParams({ parameter: row, stat, from: String(first), to: String(last), points: String(POINTS) })}`;
}

/**
 * @param {Pick<import("../wire.js").SeriesRow, "first_steps" | "steps" | "values" | "min" | "max" | "samples">} series
 * @returns {CellFigures}
 */
export function figuresOf({ first_steps, steps, values, min, max, samples }) {
  /** @param {number} i @param {number | null} value @returns {FigureAt | null} */
  const at = (i, value) => (i < 0 || value === null ? null : { value, from: first_steps[i], to: steps[i] });
  const greatest = placeOf(max, (one, other) => one > other);
  const least = placeOf(min, (one, other) => one < other);
  const end = steps.length - 1;
  const last = values[end] ?? null;
  return {
    samples,
    last: last === null ? null : { value: last, from: steps[end], to: steps[end] },
    least: at(least, min[least]),
    greatest: at(greatest, max[greatest]),
  };
}

/**
 * What tells the figure of a cell of several parameters, and in which of them it is; of a mean, which is in none, the
 * figure alone. As many columns are asked for as keep the answer to the steps of the cell.
 * @param {CellAt & {of: CellFigure}} cell
 */
export function groupQuery({ row, stat, of, first, last }) {
  return `heatmap?${new URLSearchParams({ match: row, stat, of, from: String(first), to: String(last), columns: String(GROUP_COLUMNS), rows: of === "mean" ? "1" : String(GROUP_ROWS) })}`;
}

/**
 * The figure, and the row inside of the cell's in which it is; null where no value is finite, or where the answer does
 * not tell: the mean of several columns, and columns that hold steps beside the cell's.
 * @param {{first: readonly number[], last: readonly number[], rows: readonly {name: string, values: readonly (number | null)[]}[]}} answer
 * @param {CellAt & {of: CellFigure}} cell
 * @returns {{value: number, row: string} | null}
 */
export function groupFigureOf({ first, last, rows }, cell) {
  const beside = first.some((step) => step < cell.first) || last.some((step) => step > cell.last);
  if (beside || (cell.of === "mean" && first.length > 1)) return null;
  const beats = (/** @type {number} */ one, /** @type {number} */ other) => (cell.of === "min" ? one < other : one > other);
  const figures = rows.map(({ values }) => values[placeOf(values, beats)] ?? null);
  const place = placeOf(figures, beats);
  return place < 0 ? null : { value: figures[place] ?? 0, row: rows[place].name };
}

/**
 * The place of the first value that no other beats, −1 where there is none.
 * @param {readonly (number | null)[]} values
 * @param {(one: number, other: number) => boolean} beats
 */
function placeOf(values, beats) {
  let best = -1;
  values.forEach((value, i) => {
    if (value !== null && (best < 0 || beats(value, values[best] ?? 0))) best = i;
  });
  return best;
}
