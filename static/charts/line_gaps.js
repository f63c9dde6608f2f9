/**
 * Gaps in lines: where nothing was measured for much longer than around it, no line leads across.
 *
 * @typedef {import("./line_traces.js").Line} Line
 */
import { endsOf } from "../model/sample_ends.js";

/**
 * A line with a point that has no value behind each point that a gap follows.
 * @param {Line} line
 * @returns {Line}
 */
export function withGaps(line) {
  const { begins, steps, values, min, max, nonfinite, states, smooth } = line;
  const ends = endsOf(begins, steps);
  const gaps = new Set([...steps.keys()].filter((i) => i + 1 < steps.length && begins[i + 1] > ends[i]));
  if (gaps.size === 0) return line;
  const opened = (/** @type {readonly any[]} */ column, /** @type {(i: number) => any} */ filler) =>
    column.flatMap((value, i) => (gaps.has(i) ? [value, filler(i)] : [value]));
  const end = (/** @type {number} */ i) => ends[i];
  const [none, nothing] = [() => null, () => ""];
  return {
    ...line,
    begins: opened(begins, end),
    steps: opened(steps, end),
    values: opened(values, none),
    min: opened(min, none),
    max: opened(max, none),
    nonfinite: opened(nonfinite, nothing),
    states: opened(states, nothing),
    ...(smooth === undefined ? {} : { smooth: opened(smooth, none) }),
  };
}
