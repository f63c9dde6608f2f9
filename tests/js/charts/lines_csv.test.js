/** Lines as a table. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { linesCsv } from "../../../static/charts/lines_csv.js";
import { line } from "../support/figures.js";

const HEAD = "name,first_step,last_step,last,min,max,not_finite,smoothed";

test("a row a point, numbers as they are known, null as nothing, and what was not finite by its name", () => {
  const lines = [{ ...line([1, 2], [0.1, null]), nonfinite: ["", "NaN"], smooth: [0.125, null] }];
  assert.equal(linesCsv(lines, null), `${HEAD}\r\na,1,1,0.1,0.1,0.1,,0.125\r\na,2,2,,,,NaN,\r\n`);
});

test("buckets tell their steps, and what is out of sight is left out", () => {
  const lines = [{ ...line([10, 20, 30, 40], [1, 2, 3, 4]), begins: [3, 11, 21, 31], everySample: false }];
  const rows = linesCsv(lines, [15, 30]).trim().split("\r\n").slice(1);
  assert.deepEqual(rows.map((row) => row.split(",").slice(0, 3)), [["a", "11", "20"], ["a", "21", "30"]]);
  assert.match(linesCsv(lines, null), /\na,3,10,1,1,1,,\r/);
});

test("a name with a comma, a quote or a new line stays one cell", () => {
  const [, row] = linesCsv([line([1], [2], 'a,"b"')], null).split("\r\n");
  assert.equal(row, '"a,""b""",1,1,2,2,2,,');
});
