/** Numbers, times and names as the page writes them: three significant digits, real minus signs. */
import { visible } from "./visible.js";

const MINUS = "−";
const NONE = "–";
const GROUPED = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/**
 * A number to three significant digits: 0.0123, 12.3, 1.23e−7.
 * @param {number | null | undefined} value
 */
export function formatNumber(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return NONE;
  if (value === Infinity) return "∞";
  if (value === -Infinity) return `${MINUS}∞`;
  if (value === 0) return "0";
  const magnitude = Math.abs(value);
  const text =
    magnitude >= 0.001 && magnitude < 999.5
      ? value.toPrecision(3)
      : value.toExponential(2).replace("e+", "e");
  return text.replaceAll("-", MINUS);
}

/**
 * A whole number with thousands apart: 12,345.
 * @param {number} value
 */
export function formatCount(value) {
  return GROUPED.format(value);
}

/**
 * A count in at most four characters and a unit: 4.8 k, 12.3 M.
 * @param {number} value
 */
export function formatCompact(value) {
  const units = ["", " k", " M", " G", " T"];
  let unit = 0;
  let rest = value;
  while (rest >= 999.5 && unit < units.length - 1) {
    rest /= 1000;
    unit += 1;
  }
  return unit === 0 ? String(value) : `${Number(rest.toPrecision(3))}${units[unit]}`;
}

/**
 * Bytes in decimal units: 768 B, 1.5 kB, 210 MB.
 * @param {number} bytes
 */
export function formatBytes(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let rest = bytes;
  while (rest >= 999.5 && unit < units.length - 1) {
    rest /= 1000;
    unit += 1;
  }
  return `${Number(rest.toPrecision(3))} ${units[unit]}`;
}

/**
 * Seconds as one rounded unit: 0.3 s, 12 s, 4 min, 3 h, 2 d.
 * @param {number} seconds
 */
export function formatAge(seconds) {
  const age = Math.max(0, seconds);
  if (age < 9.95) return `${age.toFixed(1)} s`;
  if (age < 90) return `${Math.round(age)} s`;
  if (age < 5400) return `${Math.round(age / 60)} min`;
  if (age < 129_600) return `${Math.round(age / 3600)} h`;
  return `${Math.round(age / 86_400)} d`;
}

/**
 * How long something took: 850 µs, 31.2 ms, 1.25 s.
 * @param {number} seconds
 */
export function formatDuration(seconds) {
  if (seconds >= 0.9995) return `${formatNumber(seconds)} s`;
  if (seconds >= 0.9995e-3) return `${formatNumber(seconds * 1e3)} ms`;
  return `${formatNumber(seconds * 1e6)} µs`;
}

/**
 * Steps per second.
 * @param {number | null} rate
 */
export function formatRate(rate) {
  if (rate === null) return NONE;
  return rate >= 999.5 ? formatCount(rate) : formatNumber(rate);
}

/**
 * 1st, 2nd, 3rd, 4th … 11th.
 * @param {number} value
 */
export function ordinal(value) {
  const tens = value % 100;
  const suffix = tens >= 11 && tens <= 13 ? "th" : (["th", "st", "nd", "rd"][value % 10] ?? "th");
  return `${formatCount(value)}${suffix}`;
}

/**
 * What the probe costs: "0.8 % of step time, every 3rd step".
 * @param {number | null} cost share of the training thread's time, 0…1
 * @param {number | null} every samples each n-th step
 */
export function formatCost(cost, every) {
  const share = cost === null ? "not measured yet" : `${formatPercent(cost)} of step time`;
  return every === null ? share : `${share}, ${formatEvery(every)}`;
}

/**
 * How often a sample is taken: every step, every 3rd step.
 * @param {number} every
 */
export function formatEvery(every) {
  return every === 1 ? "every step" : `every ${ordinal(every)} step`;
}

/**
 * A share of 1 in per cent: 0.8 %, 12 %.
 * @param {number} share
 */
export function formatPercent(share) {
  const percent = share * 100;
  if (percent > 0 && percent < 0.05) return "< 0.1 %";
  if (percent < 100 && percent >= 99.5) return "> 99 %";
  return `${percent < 9.95 ? percent.toFixed(1) : Math.round(percent)} %`;
}

/**
 * Where a run trains: its host and process, and what is special about it.
 * @param {{host: string, pid: number, ranks: number, compiled: boolean}} run
 */
export function formatJob({ host, pid, ranks, compiled }) {
  const parts = [visible(host), `process ${pid}`];
  if (ranks > 1) parts.push(`${formatCount(ranks)} ranks`);
  if (compiled) parts.push("compiled");
  return parts.join(", ");
}

/**
 * A tensor's shape: 16 × 3 × 3, or scalar.
 * @param {readonly number[]} shape
 */
export function formatShape(shape) {
  return shape.length === 0 ? "scalar" : shape.join(" × ");
}

/**
 * A count with its noun: 1 parameter, 6 parameters.
 * @param {number} count
 * @param {string} noun
 */
export function plural(count, noun) {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * A text cut in the middle, where names differ least: "encoder.lay…weight".
 * @param {string} text
 * @param {number} most characters, at least 3
 */
export function shortenMiddle(text, most) {
  const characters = Array.from(text);
  if (characters.length <= most) return text;
  const head = Math.ceil((most - 1) / 2);
  const tail = most - 1 - head;
  return `${characters.slice(0, head).join("")}…${tail ? characters.slice(-tail).join("") : ""}`;
}

/**
 * Where to split a name so that its end stays in sight while its head is shortened.
 * @param {string} text
 * @param {number} [tail] characters of the end
 * @returns {[string, string]}
 */
export function splitTail(text, tail = 10) {
  const characters = Array.from(text);
  if (characters.length <= tail * 2) return [text, ""];
  return [characters.slice(0, -tail).join(""), characters.slice(-tail).join("")];
}

/**
 * Local date and time of day, short: "14:03:27", with the day when it is not today.
 * @param {number} time seconds since the epoch
 * @param {Date} [now]
 */
export function formatTime(time, now = new Date()) {
  const date = new Date(time * 1000);
  const clock = date.toLocaleTimeString("en-GB");
  if (date.toDateString() === now.toDateString()) return clock;
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()]
    .map((part) => String(part).padStart(2, "0"))
    .join("-");
  return `${day} ${clock}`;
}

/** Words as they begin a line, of one letter at least. @param {string} words */
export function capitalized(words) {
  return words[0].toUpperCase() + words.slice(1);
}
