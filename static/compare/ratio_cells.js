/**
 * The ratio of two heat maps, cell by cell: rows that both have, on a common axis of steps or time.
 *
 * @typedef {import("../heatmap/cells.js").Cells} Cells
 * @typedef {import("./alignment.js").AlignedAxis} AlignedAxis
 *
 * @typedef {object} Half
 * @property {Cells} cells
 * @property {AlignedAxis} axis
 *
 * @typedef {object} RatioCells
 * @property {readonly string[]} names of the rows that both have
 * @property {readonly number[]} sizes how many parameters each stands for
 * @property {number} alone how many rows only one has
 * @property {number} columns
 * @property {readonly [number, number]} ends of the axis
 * @property {number} precision how far a ratio may be off, as a share of it
 * @property {Float32Array} doublings row by row: log₂ of the second value to the first, NaN for none
 * @property {(row: number, column: number) => [Side, Side]} at
 *
 * @typedef {object} Side what one half has at a cell
 * @property {number | null} step
 * @property {number} value NaN for none
 * @property {number} state its wire code, 0 for none
 */

/**
 * @param {Half} one
 * @param {Half} other
 * @param {number} columns
 * @returns {RatioCells | null} null where the two have no axis
 */
export function ratioCells(one, other, columns) {
  const [ends, others] = [one.axis.ends, other.axis.ends];
  if (ends === null || others === null) return null;
  const [start, end] = [Math.min(ends[0], others[0]), Math.max(ends[1], others[1])];
  const places = new Map(other.cells.names.map((name, row) => [name, row]));
  const rows = one.cells.names.flatMap((name, row) => (places.has(name) ? [[row, /** @type {number} */ (places.get(name))]] : []));
  const reads = [one, other].map(({ cells, axis }) =>
    Array.from({ length: columns }, (_, i) => {
      const step = axis.stepAt(start + (i / Math.max(1, columns - 1)) * (end - start));
      return { step, column: step === null ? -1 : nearestColumn(cells, step) };
    }),
  );
  /** @type {RatioCells["at"]} */
  const at = (row, column) => [sideOf(one.cells, rows[row][0], reads[0][column]), sideOf(other.cells, rows[row][1], reads[1][column])];
  const doublings = Float32Array.from({ length: rows.length * columns }, (_, i) => {
    const [first, second] = at(Math.floor(i / columns), i % columns);
    return first.value > 0 && second.value > 0 ? Math.log2(second.value / first.value) : NaN;
  });
  return {
    names: rows.map(([row]) => one.cells.names[row]),
    sizes: rows.map(([row]) => one.cells.sizes[row]),
    alone: one.cells.names.length + other.cells.names.length - 2 * rows.length,
    columns,
    ends: [start, end],
    precision: (1 + one.cells.precision) * (1 + other.cells.precision) - 1,
    doublings,
    at,
  };
}

/**
 * The column whose samples are nearest to a step, −1 where there is none at all.
 * @param {Cells} cells
 * @param {number} step
 */
function nearestColumn(cells, step) {
  let nearest = -1;
  let distance = Infinity;
  for (let column = 0; column < cells.columns; column += 1) {
    const off = Math.max(cells.first[column] - step, step - cells.last[column], 0);
    if (off <= distance) [nearest, distance] = [column, off];
  }
  return nearest;
}

/**
 * @param {Cells} cells
 * @param {number} row
 * @param {{step: number | null, column: number}} read
 * @returns {Side}
 */
function sideOf(cells, row, { step, column }) {
  if (column < 0) return { step: step === null ? null : Math.round(step), value: NaN, state: 0 };
  return { step: cells.first[column], value: cells.valueOf(row, column), state: cells.states[row * cells.columns + column] };
}

const OUTLIERS = 0.02;

/**
 * How many doublings the deepest colour stands for: whole ones that hold all but a few cells.
 * @param {Float32Array} doublings
 */
export function doublingsDomain(doublings) {
  const sizes = doublings.filter((each) => !Number.isNaN(each)).map(Math.abs).sort();
  return Math.max(1, Math.ceil(sizes[Math.floor((sizes.length - 1) * (1 - OUTLIERS))] ?? 1));
}
