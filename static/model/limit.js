/**
 * For how long a freeze or a gate lasts, in words.
 *
 * @typedef {import("../wire.js").Limit} Limit
 */
import { plural } from "../base/format.js";

const UNITS = Object.freeze([
  { seconds: 3600, word: "h" },
  { seconds: 60, word: "min" },
]);

/**
 * How long something lasts, such as `for 500 steps or 10 min`.
 * @param {Limit | null | undefined} limit
 * @returns {string[]} none where it lasts until somebody undoes it
 */
export function limitWords(limit) {
  if (limit == null) return [];
  const { steps, seconds, while_watched } = limit;
  const ends = [...(steps == null ? [] : [plural(steps, "step")]), ...(seconds == null ? [] : [duration(seconds)])];
  return [...(ends.length === 0 ? [] : [`for ${ends.join(" or ")}`]), ...(while_watched ? ["while its page is open"] : [])];
}

/** @param {number} seconds */
function duration(seconds) {
  const unit = UNITS.find((each) => seconds >= each.seconds && seconds % each.seconds === 0);
  return unit === undefined ? `${seconds} s` : `${seconds / unit.seconds} ${unit.word}`;
}
