/**
 * The course of a run's metric as a line of its own scale, and the words for it.
 *
 * @typedef {import("../wire.js").MetricSparkline} MetricSparkline
 */
import { formatNumber } from "../base/format.js";
import { visible } from "../base/visible.js";

export const WIDTH = 88;
export const HEIGHT = 18;
const EDGE = 1.5;

/**
 * The line as an SVG path; a value that is not finite is a gap, and one alone a dot.
 * @param {readonly (number | null)[]} values oldest first
 */
export function sparklinePath(values) {
  const known = values.filter((value) => value !== null);
  const lowest = Math.min(...known);
  const span = Math.max(...known) - lowest;
  const x = (/** @type {number} */ place) => EDGE + (place / Math.max(1, values.length - 1)) * (WIDTH - 2 * EDGE);
  const y = (/** @type {number} */ value) => (span > 0 ? HEIGHT - EDGE - ((value - lowest) / span) * (HEIGHT - 2 * EDGE) : HEIGHT / 2);
  return values
    .map((value, place) => {
      if (value === null) return "";
      const joined = place > 0 && values[place - 1] !== null;
      const alone = !joined && (values[place + 1] ?? null) === null;
      return `${joined ? "L" : "M"}${round(x(place))} ${round(y(value))}${alone ? "h0" : ""}`;
    })
    .join("");
}

/** @param {MetricSparkline} sparkline */
export function sparklineTitle({ metric, values }) {
  const [first, last] = [values[0] ?? null, values.at(-1) ?? null];
  const told = (/** @type {number | null} */ value) => (value === null ? "not finite" : formatNumber(value));
  return values.length > 1 ? `${visible(metric)}: ${told(first)} to ${told(last)}` : `${visible(metric)}: ${told(last)}`;
}

/** @param {number} value */
function round(value) {
  return Number(value.toFixed(1));
}
