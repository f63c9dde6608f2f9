/**
 * A distribution as bars: an octave each, numbers below zero to the left and above it to the right, and the
 * smallest magnitudes in the middle.
 *
 * @typedef {import("../wire.js").Distribution} Distribution
 *
 * @typedef {object} Bar
 * @property {-1 | 1} sign
 * @property {number | null} from the power of two at which it begins; null for all that is smaller than its end
 * @property {number} to the power of two at which it ends
 * @property {number} count
 * @property {number} x px from the left
 * @property {number} width px
 * @property {number} height px
 *
 * @typedef {object} Tick
 * @property {number} x px from the left
 * @property {string} label
 */

/** Octaves of each sign that are drawn apart; what is smaller is put together. */
export const MOST = 16;
/** So that a few octaves are no broad blocks. */
const LEAST = 8;
/** Between the smallest below zero and the smallest above it, px. */
const MIDDLE = 8;
/** Room for a tick's label, px. */
const LABEL = 46;
const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/**
 * @param {Distribution} distribution
 * @param {number} width px
 * @param {number} height px
 * @returns {Bar[]} from left to right
 */
export function barsOf({ first, negative, positive }, width, height) {
  const folded = Math.max(0, positive.length - MOST);
  const slot = slotOf(positive.length, width);
  const sides = /** @type {const} */ ([-1, 1]).map((sign) => {
    const counts = sign < 0 ? negative : positive;
    const small = counts.slice(0, folded + 1).reduce((sum, count) => sum + count, 0);
    const shown = counts.length === 0 ? [] : [small, ...counts.slice(folded + 1)];
    return shown.map((count, i) => ({ sign, count, from: folded > 0 && i === 0 ? null : first + folded + i, to: first + folded + i + 1, place: i }));
  });
  const most = Math.max(1, ...sides.flat().map(({ count }) => count));
  const bars = sides.flat().map(({ place, ...bar }) => {
    const inner = MIDDLE / 2 + place * slot;
    const x = bar.sign < 0 ? width / 2 - inner - slot : width / 2 + inner;
    // What is there is seen, however little it is beside the rest.
    return { ...bar, x, width: slot, height: bar.count === 0 ? 0 : Math.max(1, (bar.count / most) * height) };
  });
  return bars.sort((a, b) => a.x - b.x);
}

/**
 * Zero in the middle, and powers of ten on both sides.
 * @param {Distribution} distribution
 * @param {number} width px
 * @returns {Tick[]}
 */
export function ticksOf({ first, negative, positive }, width) {
  const zero = { x: width / 2, label: "0" };
  if (positive.length === 0) return [zero];
  const slot = slotOf(positive.length, width);
  const low = first + Math.max(0, positive.length - MOST);
  const high = low + Math.min(MOST, positive.length);
  const decades = Math.log2(10);
  const room = Math.ceil(LABEL / (decades * slot));
  const exponents = [];
  for (let power = Math.floor(high / decades); power >= Math.ceil(low / decades); power -= room) exponents.push(power);
  const placed = exponents
    .map((power) => ({ power, away: MIDDLE / 2 + (power * decades - low) * slot }))
    .filter(({ away }) => away > LABEL / 2 && away < width / 2 - LABEL / 4);
  const ticks = placed.flatMap(({ power, away }) => [
    ...(negative.some((count) => count > 0) ? [{ x: width / 2 - away, label: `−${powerOfTen(power)}` }] : []),
    { x: width / 2 + away, label: powerOfTen(power) },
  ]);
  return [...ticks, zero].sort((a, b) => a.x - b.x);
}

/** @param {number} octaves @param {number} width px */
function slotOf(octaves, width) {
  return (width - MIDDLE) / 2 / Math.min(MOST, Math.max(LEAST, octaves));
}

/** 1, 10, and beyond them 10⁻³. @param {number} power */
function powerOfTen(power) {
  if (power === 0 || power === 1) return String(10 ** power);
  const digits = [...String(Math.abs(power))].map((digit) => SUPERSCRIPTS[Number(digit)]).join("");
  return `10${power < 0 ? "⁻" : ""}${digits}`;
}
