/**
 * The axis of values of some lines: its range, its ticks, and what does not fit on it.
 *
 * On a linear axis a few values far from all others do not set the range, unless they are what is looked at:
 * where they would leave the others a twentieth of it or less, the range is that of the others, and they are told
 * as outliers. An axis has at least three ticks, at round numbers; one without values has none.
 *
 * @typedef {object} Points
 * @property {readonly (number | null)[]} values
 * @property {readonly (number | null)[]} min
 * @property {readonly (number | null)[]} max
 *
 * @typedef {object} ValueAxis
 * @property {boolean} log
 * @property {readonly [number, number]} range values, also of a log axis
 * @property {readonly {value: number, text: string}[]} ticks
 */
import { formatNumber } from "../base/format.js";
import { powerOfTen } from "./plotly_text.js";

const LEAST_TICKS = 3;
const MOST_POWERS = 6;
/** Decades from which on ticks are powers of ten alone. */
const DECADES_FOR_POWERS = 3;
/** How many of the values at either end may be outliers, and of how many values at least. */
const OUTLYING_SHARE = 0.02;
const LEAST_VALUES = 8;
/** The share of the axis that the outliers have to leave the others: the first steps of a loss, which falls tenfold, are none. */
const LEAST_SHARE = 1 / 20;
/** Beyond this a number is drawn as if it were this, since distances become infinite. */
const LARGEST = 1e300;
/** A tick is written out where that is short, or three digits would not tell it from its neighbours. */
const SHORT_TEXT = 7;
const LONGEST_TEXT = 10;
const WRITTEN_DIGITS = 3;
const ROOM = 0.06;
/** Of the range without outliers, in which they are marked at the edge. */
const EDGE_ROOM = 0.2;

/**
 * @param {readonly Points[]} lines
 * @param {boolean} log
 * @param {object} [options]
 * @param {readonly number[]} [options.also] values that are to have their place on it
 * @param {boolean} [options.outliers] may values be left beyond it?
 * @returns {ValueAxis}
 */
export function valueAxis(lines, log, { also = [], outliers = true } = {}) {
  const isDrawn = (/** @type {number | null} */ value) => value !== null && (!log || value > 0);
  const scale = (/** @type {number} */ value) => (log ? Math.log10(value) : Math.min(LARGEST, Math.max(-LARGEST, value)));
  const drawn = (/** @type {keyof Points} */ column) =>
    lines.flatMap((line) => /** @type {number[]} */ (line[column].filter(isDrawn))).map(scale);
  const values = drawn("values");
  const all = [...drawn("min"), ...drawn("max"), ...values];
  const extent = extentOf(all);
  const inner = log || !outliers ? extent : robust(values.sort((a, b) => a - b), extent);
  const others = also.filter(isDrawn).map(scale);
  const [low, high] = widened(extentOf([...inner, ...others]), log);
  const range = /** @type {[number, number]} */ (log ? [10 ** low, 10 ** high] : [low, high]);
  const isEmpty = all.length + others.length === 0;
  return { log, range, ticks: isEmpty ? [] : log ? logTicks(low, high) : linearTicks(low, high) };
}

/**
 * The value at which a mark stands for one that is beyond the axis, else the value itself.
 * @param {ValueAxis} axis
 * @param {number} value
 */
export function clamped({ range }, value) {
  return Math.min(range[1], Math.max(range[0], value));
}

/**
 * @param {readonly number[]} values
 * @returns {[number, number]} of 0 and 1 where there is none
 */
function extentOf(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low <= high ? [low, high] : [0, 1];
}

/**
 * The range without a few outliers, where they would flatten all others.
 * @param {readonly number[]} sorted
 * @param {[number, number]} extent
 * @returns {[number, number]}
 */
function robust(sorted, [low, high]) {
  if (sorted.length < LEAST_VALUES) return [low, high];
  const off = Math.max(1, Math.floor(sorted.length * OUTLYING_SHARE));
  const [first, last] = [sorted[off], sorted[sorted.length - 1 - off]];
  const core = last - first;
  if (core <= 0 || core >= (high - low) * LEAST_SHARE) return [low, high];
  return [Math.max(low, first - core * EDGE_ROOM), Math.min(high, last + core * EDGE_ROOM)];
}

/**
 * A range with some room at its ends; one of a single value has that value in its middle.
 * @param {[number, number]} range
 * @param {boolean} log
 * @returns {[number, number]}
 */
function widened([low, high], log) {
  const single = log ? 0.1 : Math.abs(low) * 0.1 || 1;
  const room = high > low ? (high - low) * ROOM : single;
  return [low - room, high + room];
}

/**
 * The widest round distance that has enough ticks.
 * @param {number} low
 * @param {number} high
 */
function linearTicks(low, high) {
  let power = Math.ceil(Math.log10(high - low));
  for (;;) {
    for (const unit of [5, 2, 1]) {
      const distance = unit * 10 ** power;
      const [first, last] = [Math.ceil(low / distance), Math.floor(high / distance)];
      if (last - first + 1 < LEAST_TICKS) continue;
      return Array.from({ length: last - first + 1 }, (_, i) => tickAt(first + i, unit, power));
    }
    power -= 1;
  }
}

/**
 * The tick at so many times a distance, which is `unit` times a power of ten.
 * @param {number} times
 * @param {number} unit
 * @param {number} power
 */
function tickAt(times, unit, power) {
  // Divided by a power of ten rather than multiplied by a fraction, so that 0.3 is 0.3.
  const value = power < 0 ? (times * unit) / 10 ** -power : times * unit * 10 ** power;
  const digits = Math.abs(times * unit).toString().length;
  const text = digits + power > LONGEST_TEXT ? "" : value.toFixed(Math.min(100, Math.max(0, -power)));
  const isPlain = text !== "" && text.length <= (digits > WRITTEN_DIGITS ? LONGEST_TEXT : SHORT_TEXT);
  return { value, text: isPlain ? text.replace("-", "−") : formatNumber(value) };
}

/**
 * Powers of ten over decades, 1, 2 and 5 of each within few; in less than that, as on a linear axis.
 * @param {number} low exponent
 * @param {number} high exponent
 */
function logTicks(low, high) {
  const [first, last] = [Math.ceil(low), Math.floor(high)];
  const decades = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
  if (decades.length >= DECADES_FOR_POWERS) {
    const every = Math.max(1, Math.min(Math.ceil(decades.length / MOST_POWERS), Math.floor((decades.length - 1) / 2)));
    const shown = decades.filter((_, i) => i % every === 0);
    return shown.map((decade) => ({ value: 10 ** decade, text: powerOfTen(decade) }));
  }
  const around = [first - 1, ...decades, last + 1];
  const fine = [...new Set(around)].flatMap((power) => [1, 2, 5].map((unit) => tickAt(1, unit, power)));
  const inside = fine.filter(({ value }) => value >= 10 ** low && value <= 10 ** high);
  return inside.length >= LEAST_TICKS ? inside : linearTicks(10 ** low, 10 ** high);
}
