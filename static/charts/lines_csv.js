/**
 * What the lines show, as a table: a row a point.
 *
 * @typedef {import("./line_traces.js").Line} Line
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 */
import { beginningOf } from "./track.js";

const HEAD = Object.freeze(["name", "first_step", "last_step", "last", "min", "max", "not_finite", "smoothed"]);

/**
 * CSV as RFC 4180 has it: numbers as they are known, null as nothing. A point is of the steps from `first_step`
 * to `last_step`.
 * @param {readonly Line[]} lines
 * @param {StepRange | null} range the steps in sight
 */
export function linesCsv(lines, range) {
  const [from, to] = range ?? [-Infinity, Infinity];
  const rows = lines.flatMap(({ name, steps, values, min, max, nonfinite, everySample, smooth }) =>
    steps.flatMap((step, i) => {
      const begins = range === null ? beginningOf({ steps, everySample }) : Math.min(from, step);
      const first = everySample ? step : i === 0 ? begins : steps[i - 1] + 1;
      if (step < from || first > to) return [];
      return [[name, first, step, values[i], min[i], max[i], nonfinite[i], smooth?.[i] ?? null]];
    }),
  );
  return [HEAD, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** @param {string | number | null} value */
function cell(value) {
  const text = value === null ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
