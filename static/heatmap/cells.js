/**
 * The cells of a heat map as the server answered: rows by columns of steps, a shade and a state each.
 *
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 *
 * @typedef {object} PackedHeatmap
 * @property {ArrayLike<number>} first the first step of each column
 * @property {ArrayLike<number>} last
 * @property {ArrayLike<string>} rows names
 * @property {ArrayLike<number>} parameters how many are in each row
 * @property {ArrayLike<number>} range decades of shade 1 and shade 255
 * @property {Uint8Array} shades row by row
 * @property {Uint8Array} states wire codes, row by row
 */
import { endsOf } from "../model/sample_ends.js";

/** The shade of zero; 0 is that of no value. */
export const ZERO_SHADE = 1;
const SHADES = 253;

export class Cells {
  /** @param {PackedHeatmap} packed */
  constructor({ first, last, rows, parameters, range, shades, states }) {
    this.columns = first.length;
    /** @type {readonly string[]} */
    this.names = Array.from(rows);
    /** How many parameters each row stands for. @type {readonly number[]} */
    this.sizes = Array.from(parameters);
    this.first = first;
    this.last = last;
    this.least = range[0] ?? 0;
    this.greatest = range[1] ?? 0;
    this.shades = shades;
    this.states = states;
    /** The step behind each column. */
    this.ends = endsOf(first, last);
  }

  /** The steps that have samples, or null when none has. @returns {StepRange | null} */
  get steps() {
    if (this.columns === 0) return null;
    const last = Array.from(this.last).reduce((latest, step) => Math.max(latest, step), 0);
    const first = Array.from(this.first).reduce((earliest, step) => Math.min(earliest, step), last);
    return [first, last];
  }

  /**
   * Is a step between the first column and the end of the last? What is beside them is not known here.
   * @param {number} step
   */
  reaches(step) {
    const { steps } = this;
    return steps !== null && step >= steps[0] && step < this.end;
  }

  /** The step behind the last column. */
  get end() {
    return this.ends.reduce((latest, end) => Math.max(latest, end), 0);
  }

  /**
   * The column that a step is in, −1 for none. Of a job that went back the latest counts.
   * @param {number} step
   */
  columnAt(step) {
    for (let column = this.columns - 1; column >= 0; column -= 1) {
      if (this.first[column] <= step && step < this.ends[column]) return column;
    }
    return -1;
  }

  /**
   * The decade that a shade stands for.
   * @param {number} shade 2 to 255
   */
  decadeOf(shade) {
    return this.least + ((shade - ZERO_SHADE - 1) / SHADES) * (this.greatest - this.least);
  }

  /**
   * A cell's value as its shade tells it, NaN for none.
   * @param {number} row
   * @param {number} column
   */
  valueOf(row, column) {
    const shade = this.shades[row * this.columns + column];
    if (shade === ZERO_SHADE) return 0;
    return shade === 0 ? NaN : 10 ** this.decadeOf(shade);
  }

  /** How far a value may be off, as a share of it: half of the way to the next shade. */
  get precision() {
    return 10 ** ((this.greatest - this.least) / SHADES / 2) - 1;
  }

  /**
   * The two values between which all but a share of outliers are, empty when there is none.
   * @param {number} outliers
   * @returns {number[]}
   */
  extent(outliers) {
    const counts = new Uint32Array(256);
    for (const shade of this.shades) counts[shade] += 1;
    counts.fill(0, 0, ZERO_SHADE + 1);
    const trimmed = counts.reduce((sum, count) => sum + count, 0) * outliers;
    const low = beyond(counts, trimmed, 1);
    const high = beyond(counts, trimmed, -1);
    return low === 0 ? [] : [10 ** this.decadeOf(low), 10 ** this.decadeOf(high)];
  }
}

/**
 * The first shade, from one end, before which more than so many cells lie; 0 when there is none.
 * @param {Uint32Array} counts
 * @param {number} trimmed
 * @param {1 | -1} way
 */
function beyond(counts, trimmed, way) {
  let passed = 0;
  for (let i = 1; i < 256; i += 1) {
    const shade = way === 1 ? i : 256 - i;
    passed += counts[shade];
    if (counts[shade] > 0 && passed > trimmed) return shade;
  }
  return 0;
}
