/**
 * How the steps of runs are laid over each other: where on the common axis a step is, and back.
 *
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 * @typedef {typeof ALIGNS[number]} Align
 *
 * @typedef {object} Timeline when samples were taken
 * @property {readonly number[]} steps growing
 * @property {readonly number[]} times seconds, by a clock that may have been set back
 *
 * @typedef {object} AlignedAxis
 * @property {(step: number) => number | null} positionOf null where it is not known
 * @property {(position: number) => number | null} stepAt null outside
 * @property {readonly [number, number] | null} ends positions of the first and the last step
 */

/** As they are, from where each begins, as a share of each in percent, in seconds since each began. */
export const ALIGNS = Object.freeze(/** @type {const} */ (["step", "start", "share", "time"]));

/**
 * The alignment of this name, or else the one that is shown at first.
 * @param {string | null} word
 * @returns {Align}
 */
export function alignOf(word) {
  return ALIGNS.find((align) => align === word) ?? ALIGNS[0];
}

/**
 * @param {{steps: StepRange, times: Timeline}} side its first and last step, and when its samples were taken
 * @param {Align} align
 * @returns {AlignedAxis}
 */
export function alignedAxis({ steps, times }, align) {
  if (align === "time") return timeAxis(times);
  const [first, last] = steps;
  const origin = align === "step" ? 0 : first;
  const scale = align === "share" ? 100 / Math.max(1, last - first) : 1;
  const positionOf = (/** @type {number} */ step) => (step - origin) * scale;
  const ends = /** @type {const} */ ([positionOf(first), positionOf(last)]);
  return {
    ends,
    positionOf,
    stepAt: (position) => (position < ends[0] || position > ends[1] ? null : position / scale + origin),
  };
}

/** @param {Timeline} timeline @returns {AlignedAxis} */
function timeAxis({ steps, times }) {
  if (steps.length === 0) return { ends: null, positionOf: () => null, stepAt: () => null };
  const seconds = elapsed(times);
  return {
    ends: [0, seconds[seconds.length - 1]],
    positionOf: (step) => interpolated(step, steps, seconds),
    stepAt: (position) => interpolated(position, seconds, steps),
  };
}

/**
 * Seconds that passed up to each time: while a clock was set back nobody knows how many, and none are counted.
 * @param {readonly number[]} times
 */
function elapsed(times) {
  let seconds = 0;
  return times.map((time, i) => (seconds += Math.max(0, time - (times[i - 1] ?? time))));
}

/**
 * The first step that was sampled after the clock was set back; null where it never was.
 * @param {Timeline} timeline
 */
export function setBackAt({ steps, times }) {
  return steps.find((_, i) => times[i] < times[i - 1]) ?? null;
}

/**
 * @param {number} at
 * @param {readonly number[]} xs not falling
 * @param {readonly number[]} ys
 * @returns {number | null} null outside
 */
function interpolated(at, xs, ys) {
  const next = xs.findIndex((x) => x >= at);
  if (next < 0 || at < xs[0]) return null;
  if (xs[next] === at || next === 0) return ys[next];
  const share = (at - xs[next - 1]) / (xs[next] - xs[next - 1]);
  return ys[next - 1] + share * (ys[next] - ys[next - 1]);
}

/**
 * The unit in which so many seconds are read best.
 * @param {number} seconds
 * @returns {{unit: string, seconds: number}}
 */
export function timeUnit(seconds) {
  if (seconds > 2 * 86_400) return { unit: "d", seconds: 86_400 };
  if (seconds > 2 * 3600) return { unit: "h", seconds: 3600 };
  return seconds > 120 ? { unit: "min", seconds: 60 } : { unit: "s", seconds: 1 };
}
