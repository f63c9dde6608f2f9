/**
 * What a line says at a step: the last, the lowest and the highest value of the bucket that the step is in, or
 * is nearest to; a sample is a bucket of its own.
 *
 * @typedef {import("./line_traces.js").Line} Line
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 * @typedef {{value: number, steps: StepRange}} Extreme a value, and the steps that it was at one of
 *
 * @typedef {object} Reading
 * @property {string} name
 * @property {StepRange} steps of the sample or the bucket
 * @property {number | null} value the last
 * @property {number | null} min
 * @property {number | null} max
 * @property {string} nonfinite
 * @property {number | null} smooth
 */
import { formatCount, formatNumber } from "../base/format.js";

/**
 * @param {Line} line
 * @param {number} step
 * @returns {Reading | null} null for a line without points
 */
export function readingAt({ name, begins, steps, values, min, max, nonfinite, smooth }, step) {
  if (steps.length === 0) return null;
  const after = steps.findIndex((each) => each >= step);
  let at = after < 0 ? steps.length - 1 : after;
  if (at > 0 && step - steps[at - 1] < begins[at] - step) at -= 1;
  const bounds = /** @type {const} */ ([begins[at], steps[at]]);
  return { name, steps: bounds, value: values[at], min: min[at], max: max[at], nonfinite: nonfinite[at], smooth: smooth?.[at] ?? null };
}

/** Does a reading stand for more than its last value? @param {Reading} reading */
export function hasExtremes({ value, min, max }) {
  return min !== null && max !== null && (min !== value || max !== value);
}

/**
 * A reading in words, with the steps of its extremes where they are known.
 * @param {Reading} reading
 * @param {{min: Extreme, max: Extreme} | null} extremes
 * @returns {string[]}
 */
export function readingWords(reading, extremes) {
  const { steps, value, min, max, nonfinite, smooth } = reading;
  const over = smooth === null ? [] : [`smoothed ${formatNumber(smooth)}`];
  const last = value === null ? nonfinite || "no value" : formatNumber(value);
  if (steps[0] === steps[1] || !hasExtremes(reading)) {
    const also = value !== null && nonfinite !== "" ? `; ${nonfinite} among them` : "";
    return [`${last} at ${stepWords(steps)}${also}`, ...over];
  }
  const of = (/** @type {number | null} */ known, /** @type {Extreme | undefined} */ exact) =>
    exact === undefined ? formatNumber(known) : `${formatNumber(exact.value)} at ${stepWords(exact.steps)}`;
  const words = [`last ${last} of ${stepWords(steps)}`, `lowest ${of(min, extremes?.min)}, highest ${of(max, extremes?.max)}`, ...over];
  return nonfinite === "" || value === null ? words : [...words, `${nonfinite} among them`];
}

/** @param {StepRange} steps */
function stepWords([first, last]) {
  return first === last ? `step ${formatCount(first)}` : `steps ${formatCount(first)} to ${formatCount(last)}`;
}
