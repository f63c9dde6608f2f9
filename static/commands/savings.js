/**
 * What a command saved, in one line: "backward −41 % (12.3 → 7.3 ms), −210 MB gradients".
 *
 * @typedef {import("../wire.js").Saved} Saved
 */
import { formatBytes, plural } from "../base/format.js";

const MINUS = "−";
/** A change of less than this share is noise. */
const NOISE = 0.02;
const UNITS = Object.freeze([
  { unit: "s", seconds: 1 },
  { unit: "ms", seconds: 1e-3 },
  { unit: "µs", seconds: 1e-6 },
]);

/** @param {Saved} saved */
export function formatSaved(saved) {
  const { gradient_bytes, memory_before, memory_after } = saved;
  const parts = [backward(saved)];
  if (gradient_bytes !== 0) parts.push(`${signedBytes(-gradient_bytes)} gradients`);
  if (memory_before !== null && memory_after !== null && memory_after !== memory_before) {
    parts.push(`${signedBytes(memory_after - memory_before)} at the end of forward`);
  }
  return parts.join(", ");
}

/**
 * How the line was measured.
 * @param {Saved} saved
 */
export function howMeasured({ steps, spread_before, spread_after }) {
  const medians = `Medians of ${plural(steps, "step")} before and after`;
  if (typeof spread_before !== "number" || typeof spread_after !== "number") return `${medians}; how far steps differ was not told`;
  return `${medians}; half of the steps lie within ${durations([spread_before, spread_after]).join(" before and ")} after`;
}

/** @param {Saved} saved */
function backward({ backward_before: before, backward_after: after, measurable }) {
  const times = `(${durations([before, after]).join(" → ")})`;
  if (before <= 0) return `backward ${times}`;
  const change = (after - before) / before;
  // A probe that does not tell the noise of the steps leaves only a bound that any figure has.
  if (measurable === false || Math.abs(change) < NOISE) return `no measurable change in backward ${times}`;
  return `backward ${sign(change)}${Math.round(Math.abs(change) * 100)} % ${times}`;
}

/**
 * Times in the unit that suits the longest one, to its three significant digits; the last one has it.
 * @param {readonly number[]} times seconds
 */
function durations(times) {
  const longest = Math.max(...times);
  const { unit, seconds } = UNITS.find((each) => longest >= each.seconds) ?? UNITS[2];
  const decimals = longest >= 99.95 * seconds ? 0 : longest >= 9.995 * seconds ? 1 : 2;
  return times.map((time, at) => `${(time / seconds).toFixed(decimals)}${at === times.length - 1 ? ` ${unit}` : ""}`);
}

/** @param {number} bytes */
function signedBytes(bytes) {
  return `${sign(bytes)}${formatBytes(Math.abs(bytes))}`;
}

/** @param {number} value */
function sign(value) {
  return value < 0 ? MINUS : "+";
}
