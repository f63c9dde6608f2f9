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
export function formatSaved({ backward_before, backward_after, gradient_bytes, memory_before, memory_after }) {
  const parts = [backward(backward_before, backward_after)];
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
export function howMeasured({ steps }) {
  return `Medians of ${plural(steps, "step")} before and after`;
}

/**
 * @param {number} before seconds
 * @param {number} after seconds
 */
function backward(before, after) {
  const times = `(${duration(before, after)})`;
  if (before <= 0) return `backward ${times}`;
  const change = (after - before) / before;
  if (Math.abs(change) < NOISE) return `backward unchanged ${times}`;
  return `backward ${sign(change)}${Math.round(Math.abs(change) * 100)} % ${times}`;
}

/**
 * Two times in the unit that suits the longer one, to its three significant digits.
 * @param {number} before seconds
 * @param {number} after seconds
 */
function duration(before, after) {
  const longest = Math.max(before, after);
  const { unit, seconds } = UNITS.find((each) => longest >= each.seconds) ?? UNITS[2];
  const decimals = longest >= 99.95 * seconds ? 0 : longest >= 9.995 * seconds ? 1 : 2;
  return `${(before / seconds).toFixed(decimals)} → ${(after / seconds).toFixed(decimals)} ${unit}`;
}

/** @param {number} bytes */
function signedBytes(bytes) {
  return `${sign(bytes)}${formatBytes(Math.abs(bytes))}`;
}

/** @param {number} value */
function sign(value) {
  return value < 0 ? MINUS : "+";
}
