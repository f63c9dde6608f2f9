/**
 * What the job says of a gate that is not made yet, in words.
 *
 * @typedef {import("../wire.js").Trial} Trial
 */
import { formatCount, formatPercent, plural } from "../base/format.js";
import { visible } from "../base/visible.js";

/** How many of the latest samples a condition is played over. */
export const TRIAL_SAMPLES = 1000;

/**
 * The dry run in one sentence.
 * @param {Trial} trial
 */
export function verdict({ closed, samples }) {
  if (closed === null || samples === 0) return "There is no history to play it over.";
  const over = samples === 1 ? "the one sample there is" : `the last ${plural(samples, "sample")}`;
  if (closed.length === 0) return `Would have been open in ${samples === 1 ? over : `all of ${over}`}.`;
  const share = formatPercent(closed.length / samples);
  return `Would have been closed in ${formatCount(closed.length)} of ${over} (${share}).`;
}

/**
 * When it would have been closed: the first and the last step.
 * @param {Trial} trial
 */
export function closedWhen({ closed }) {
  if (closed === null || closed.length === 0) return null;
  const [first, last] = [closed[0], closed[closed.length - 1]];
  if (first === last) return `At step ${formatCount(first)}.`;
  return `First at step ${formatCount(first)}, last at step ${formatCount(last)}.`;
}

/**
 * What was left out of the dry run, or null.
 * @param {Trial} trial
 */
export function withoutHistory({ missing }) {
  if (missing.length === 0) return null;
  return `No history of ${missing.map(visible).join(", ")}.`;
}

/**
 * The error with its place: `no value is called nrom (at character 1)`. Further lines of it are for a
 * terminal: they point at the place in a text that stands here anyway.
 * @param {NonNullable<Trial["error"]>} error
 */
export function errorWords({ message, column }) {
  const sentence = visible(message.split("\n", 1)[0]);
  return column === null ? sentence : `${sentence} (at character ${formatCount(column + 1)})`;
}

/**
 * The text before a column. The job counts characters, a string of JavaScript half characters.
 * @param {string} text
 * @param {number} column
 */
export function before(text, column) {
  return Array.from(text).slice(0, column).join("");
}
