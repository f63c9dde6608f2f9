/**
 * Parameters in columns, so that a chart of 10,000 draws no more marks than it has pixels.
 *
 * A column holds neighbours in model order. It shows its largest norm, the range of all its
 * norms, and every state that occurs in it, so neither a spike nor a trouble is lost.
 *
 * @typedef {object} Mark
 * @property {number} x the place of the parameter that the mark stands for
 * @property {number} norm NaN where the mark has no place on the scale
 * @property {number} count parameters that it stands for
 * @property {number} state wire code
 *
 * @typedef {object} Range
 * @property {number} x
 * @property {number} low
 * @property {number} high
 *
 * @typedef {object} Columns
 * @property {number} perColumn parameters in a column
 * @property {Map<number, Mark[]>} marks by state code
 * @property {Range[]} ranges lowest and highest norm
 */
import { isPlottable } from "../model/norm_scale.js";

/**
 * @param {{states: Uint8Array, norms: Float32Array, lows: Float32Array, highs: Float32Array}} sample
 * @param {number} most columns at most
 * @returns {Columns}
 */
export function toColumns(sample, most) {
  const count = sample.states.length;
  const perColumn = Math.max(1, Math.ceil(count / most));
  /** @type {Map<number, Mark[]>} */
  const marks = new Map();
  /** @type {Range[]} */
  const ranges = [];
  for (let first = 0; first < count; first += perColumn) {
    const end = Math.min(first + perColumn, count);
    for (const mark of columnMarks(sample, first, end)) {
      const same = marks.get(mark.state);
      if (same === undefined) marks.set(mark.state, [mark]);
      else same.push(mark);
    }
    const range = columnRange(sample, first, end);
    if (range !== null) ranges.push(range);
  }
  return { perColumn, marks, ranges };
}

/**
 * One mark for each state (and for having a norm or none) of a column.
 * @param {{states: Uint8Array, norms: Float32Array}} sample
 * @param {number} first
 * @param {number} end
 * @returns {Iterable<Mark>}
 */
function columnMarks({ states, norms }, first, end) {
  /** @type {Map<number, Mark>} */
  const found = new Map();
  for (let i = first; i < end; i += 1) {
    const state = states[i];
    const norm = isPlottable(norms[i]) ? norms[i] : NaN;
    const key = state * 2 + (Number.isNaN(norm) ? 0 : 1);
    const known = found.get(key);
    if (known === undefined) found.set(key, { x: i, norm, count: 1, state });
    else {
      known.count += 1;
      if (norm > known.norm) Object.assign(known, { x: i, norm });
    }
  }
  return found.values();
}

/**
 * @param {{lows: Float32Array, highs: Float32Array}} sample
 * @param {number} first
 * @param {number} end
 * @returns {Range | null}
 */
function columnRange({ lows, highs }, first, end) {
  let low = Infinity;
  let high = 0;
  for (let i = first; i < end; i += 1) {
    if (isPlottable(lows[i])) low = Math.min(low, lows[i]);
    if (isPlottable(highs[i])) high = Math.max(high, highs[i]);
  }
  if (low === Infinity || high <= low) return null;
  return { x: (first + end - 1) / 2, low, high };
}
