/**
 * What is said of a distribution, of its bars and of its rows.
 *
 * @typedef {import("../wire.js").Distribution} Distribution
 * @typedef {import("../wire.js").RowNorms} RowNorms
 * @typedef {import("../model/states.js").StateName} StateName
 * @typedef {import("./octave_bars.js").Bar} Bar
 */
import { formatCount, formatNumber, formatPercent, plural } from "../base/format.js";

/**
 * "1,728 numbers: 12 % zeros, 3 NaN, 1 infinite".
 * @param {Distribution} distribution
 * @param {number} whole numbers of the whole parameter
 */
export function countWords({ numel, sample_of: sampled, zeros, nan, posinf, neginf }, whole) {
  const here = sampled ?? numel;
  const held = here < whole ? `${formatCount(here)} of ${plural(whole, "number")}, the part of rank 0` : plural(here, "number");
  const counted = typeof sampled === "number" ? `${formatCount(numel)} of ${held}, an even sample` : held;
  const infinite = posinf + neginf;
  const ordinary = zeros === 0 ? "no zeros" : `${formatPercent(zeros / numel)} zeros`;
  const apart = [
    zeros > 0 && zeros === numel ? "all zeros" : ordinary,
    ...(nan > 0 ? [`${formatCount(nan)} NaN`] : []),
    ...(infinite > 0 ? [`${formatCount(infinite)} infinite`] : []),
  ];
  return `${counted}: ${apart.join(", ")}`;
}

/** "412 from 0.00391 to 0.00781". @param {Bar} bar */
export function barWords({ sign, from, to, count }) {
  const end = formatNumber(sign * 2 ** to);
  if (from === null) return `${formatCount(count)} between 0 and ${end}`;
  return `${formatCount(count)} from ${formatNumber(sign * 2 ** from)} to ${end}`;
}

/**
 * What stands in place of the norms of rows where only a sample was counted; "" where there would be none anyway.
 * @param {Distribution | null} distribution
 * @param {{ numel: number, shape: readonly number[] }} whole the whole parameter
 */
export function uncountedRowWords(distribution, { numel, shape }) {
  // Of a part the rows are not those of the parameter.
  const hasRows = shape.length > 1 && distribution?.sample_of === numel;
  return hasRows ? "No norms of rows: too large for one step" : "";
}

/** "64 rows: 3 of zeros only". @param {RowNorms} rows */
export function rowWords({ count, zero }) {
  const words = zero === 0 ? "none of zeros only" : zero === count ? "all of zeros only" : `${formatCount(zero)} of zeros only`;
  return `Norms of ${plural(count, "row")}: ${words}`;
}

/**
 * Which rows a norm is of, and what it is.
 * @param {RowNorms} rows
 * @param {number} place of the norm
 */
export function normWords({ count, norms }, place) {
  const length = Math.ceil(count / norms.length);
  const [first, last] = [place * length, Math.min(count, (place + 1) * length) - 1];
  const norm = norms[place] === null ? "not finite" : formatNumber(norms[place]);
  return first === last ? `Row ${formatCount(first)}: ${norm}` : `Rows ${formatCount(first)} to ${formatCount(last)}, the largest: ${norm}`;
}

/**
 * Why there is no distribution.
 * @param {"gradient" | "weight"} of
 * @param {StateName | null} state of the parameter's gradient
 */
export function missingWords(of, state) {
  if (of === "weight") return "Its numbers cannot be read.";
  if (state === "frozen" || state === "gated") return `No gradient: it is ${state}.`;
  return "No gradient came in that step.";
}

/**
 * What is said above the pictures, while there are none or beside them.
 * @param {object} facts
 * @param {string | null} facts.status of the run
 * @param {boolean} facts.connected
 * @param {boolean} facts.removed the model has it no longer
 * @param {string} facts.problem the server's sentence, or ""
 * @param {number | null} facts.step of what is shown; null for nothing yet
 * @param {boolean} [facts.stale] was its gradient left from an earlier step?
 */
export function focusWords({ status, connected, removed, problem, step, stale = false }) {
  const old = stale ? " Its gradient is left from an earlier step." : "";
  const shown = step === null ? "" : `Step ${formatCount(step)}.${old} `;
  if (removed) return "The model has it no longer, so it is not looked at.";
  if (!connected) return `${shown}No connection to the server.`;
  if (status === "finished" || status === "failed") return `${shown}The run has ${status}: distributions are taken only while a job trains and somebody looks.`;
  if (status === "lost") return `${shown}The job is lost: distributions are taken only while a job trains and somebody looks.`;
  if (problem !== "") return `${shown}${problem}`;
  return step === null ? "The job is asked to look at it: it comes with one of the next samples." : `Step ${formatCount(step)}, while you look.${old}`;
}
