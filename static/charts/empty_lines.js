/**
 * Lines of parameters that have nothing to draw in the steps in sight, and why.
 *
 * @typedef {import("./line_traces.js").Line} Line
 * @typedef {import("../link/statistics.js").StatisticName} StatisticName
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 */
import { shortenMiddle } from "../base/format.js";
import { visible } from "../base/visible.js";
import { STATISTICS } from "../link/statistics.js";
import { inSight } from "./track.js";

const NAME_LETTERS = 40;

/** @type {{readonly [reason: string]: (names: string, when: string, label: string) => string}} */
const SENTENCES = Object.freeze({
  absent: (names, when) => `No gradient arrived at ${names}${when}.`,
  stale: (names, when) => `No backward wrote to the gradient of ${names}${when}.`,
  gated: (names, when) => `A closed gate kept the gradient from ${names}${when}.`,
  frozen: (names, when) => `${names}: frozen${when}.`,
  unmeasured: (names, when) => `${names}: not measured${when}.`,
  zero: (names, when, label) => `${names}: ${label} 0${when}, for which a logarithmic axis has no place.`,
});

/**
 * Has a line points in sight, and nothing that its axis, which is logarithmic, has a place for?
 * @param {Line} line
 * @param {StepRange | null} range in sight
 */
export function isEmpty(line, range) {
  const { steps, values, max, nonfinite } = inSight(line, range);
  const isDrawn = steps.some((_, i) => (values[i] ?? 0) > 0 || (max[i] ?? 0) > 0 || nonfinite[i] !== "");
  return steps.length > 0 && !isDrawn;
}

/**
 * Why lines have nothing to draw, a sentence for each reason; "" where none is empty.
 * @param {readonly Line[]} lines
 * @param {StepRange | null} range in sight
 * @param {StatisticName} stat
 */
export function emptyWords(lines, range, stat) {
  /** @type {Map<string, string[]>} */
  const byReason = new Map();
  for (const line of lines.filter((each) => isEmpty(each, range))) {
    const name = visible(shortenMiddle(line.name, NAME_LETTERS));
    for (const reason of reasonsOf(line, range)) byReason.set(reason, [...(byReason.get(reason) ?? []), name]);
  }
  const [when, label] = [range === null ? " so far" : " in these steps", STATISTICS[stat].label.toLowerCase()];
  return [...byReason].map(([reason, names]) => (SENTENCES[reason] ?? SENTENCES["unmeasured"])(names.join(", "), when, label)).join(" ");
}

/**
 * @param {Line} line
 * @param {StepRange | null} range
 */
function reasonsOf(line, range) {
  const { values, states } = inSight(line, range);
  return new Set(states.map((state, i) => (values[i] === 0 ? "zero" : state)));
}
