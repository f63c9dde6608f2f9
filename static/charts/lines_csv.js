/**
 * What the lines show, as a table: a row a point.
 *
 * @typedef {import("./line_traces.js").Line} Line
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 */

const HEAD = Object.freeze(["name", "first_step", "last_step", "last", "min", "max", "not_finite", "smoothed"]);

/**
 * CSV as RFC 4180 has it: numbers as they are known, null as nothing. A point is of the steps from `first_step`
 * to `last_step`.
 * @param {readonly Line[]} lines
 * @param {StepRange | null} range the steps in sight
 */
export function linesCsv(lines, range) {
  const [from, to] = range ?? [-Infinity, Infinity];
  const rows = lines.flatMap(({ name, begins, steps, values, min, max, nonfinite, smooth }) =>
    steps.flatMap((step, i) => {
      if (step < from || begins[i] > to) return [];
      return [[name, begins[i], step, values[i], min[i], max[i], nonfinite[i], smooth?.[i] ?? null]];
    }),
  );
  return [HEAD, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** @param {string | number | null} value */
function cell(value) {
  const text = value === null ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
