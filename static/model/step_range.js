/**
 * Ranges of steps, moved and scaled: a range holds both of its ends, and the whole run is null.
 *
 * @typedef {import("./view_url.js").StepRange} StepRange
 */

/** The fewest steps that are shown: fewer would be bars without a neighbour. */
export const FEWEST_STEPS = 4;

/** Zooming out shows the whole run where it would show so much of it. */
const NEARLY_WHOLE = 0.98;

/** @param {StepRange} range */
export function spanOf([first, last]) {
  return last - first + 1;
}

/**
 * A range made wider (factor above 1) or narrower around a step that stays where it is.
 * @param {StepRange} range
 * @param {number} factor
 * @param {number} at a step, with its fraction
 * @param {StepRange} whole
 * @returns {StepRange | null} null when it is the whole run
 */
export function zoomed(range, factor, at, whole) {
  const span = Math.min(spanOf(whole), Math.max(Math.min(FEWEST_STEPS, spanOf(whole)), Math.round(spanOf(range) * factor)));
  if (factor > 1 && span >= spanOf(whole) * NEARLY_WHOLE) return null;
  const share = (at - range[0]) / spanOf(range);
  return placed(Math.round(at - share * span), span, whole);
}

/**
 * A range moved by some steps, without leaving the run.
 * @param {StepRange} range
 * @param {number} steps
 * @param {StepRange} whole
 */
export function panned(range, steps, whole) {
  return placed(range[0] + Math.round(steps), spanOf(range), whole);
}

/**
 * What is between two steps, in any order, as a range that is wide enough.
 * @param {number} one
 * @param {number} other
 * @param {StepRange} whole
 */
export function between(one, other, whole) {
  const [first, last] = [Math.floor(Math.min(one, other)), Math.floor(Math.max(one, other))];
  return placed(first, Math.max(FEWEST_STEPS, last - first + 1), whole);
}

/**
 * The whole run, never narrower than what is in sight: nobody is moved away from where they are, such as behind the last step.
 * @param {StepRange} whole
 * @param {StepRange | null} shown null for the whole run
 * @returns {StepRange}
 */
export function around(whole, shown) {
  return shown === null ? whole : [Math.min(whole[0], shown[0]), Math.max(whole[1], shown[1])];
}

/**
 * So many steps from the first, moved into the run.
 * @param {number} first
 * @param {number} span
 * @param {StepRange} whole
 * @returns {StepRange | null} null when it is the whole run
 */
function placed(first, span, whole) {
  if (span >= spanOf(whole)) return null;
  const start = Math.max(whole[0], Math.min(first, whole[1] - span + 1));
  return [start, start + span - 1];
}

/**
 * Which way a movement leads from one range to another: one that only leads one way never comes back to where it began.
 * @param {StepRange | null} before null for the whole run
 * @param {StepRange | null} after
 */
export function wayBetween(before, after) {
  if (before === null) return "in";
  if (after === null || spanOf(after) > spanOf(before)) return "out";
  if (spanOf(after) < spanOf(before)) return "in";
  return after[0] < before[0] ? "back" : "on";
}

/**
 * @param {StepRange | null} one
 * @param {StepRange | null} other
 */
export function sameRange(one, other) {
  return one === other || (one !== null && other !== null && one[0] === other[0] && one[1] === other[1]);
}

/**
 * Are all steps of a range within another? null holds all steps.
 * @param {StepRange | null} outer
 * @param {StepRange | null} inner
 */
export function covers(outer, inner) {
  if (outer === null) return true;
  return inner !== null && outer[0] <= inner[0] && outer[1] >= inner[1];
}
