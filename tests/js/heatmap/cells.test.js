/** What a heat map's answer says of its cells. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cellsOf } from "../support/heatmap_cells.js";

test("a shade is a value again, and says how far it may be off", () => {
  const cells = cellsOf([[2, 255, 128, 0, 1]]);
  assert.equal(cells.valueOf(0, 0), 0.01);
  assert.equal(cells.valueOf(0, 1), 100);
  assert.ok(Number.isNaN(cells.valueOf(0, 3)));
  assert.equal(cells.valueOf(0, 4), 0);
  assert.ok(Math.abs(cells.precision - (10 ** (4 / 506) - 1)) < 1e-12);
});

test("a column reaches to the next sample, but not over a gap", () => {
  const cells = cellsOf([[1, 1, 1, 1]], { first: [0, 10, 20, 500], last: [0, 10, 20, 500] });
  assert.deepEqual([...cells.ends], [10, 20, 30, 510]);
  assert.equal(cells.columnAt(19), 1);
  assert.equal(cells.columnAt(200), -1);
  assert.deepEqual(cells.steps, [0, 500]);
});

test("an answer without a column has no steps, and one with a single sample has its own", () => {
  assert.equal(cellsOf([[]]).steps, null);
  assert.deepEqual(cellsOf([[9]]).steps, [0, 0]);
  assert.deepEqual([...cellsOf([[9]]).ends], [1]);
});

test("outliers are left out of the extent of the values", () => {
  const cells = cellsOf([[...Array(98).fill(128), 2, 255]]);
  assert.deepEqual(cells.extent(0.02), [10 ** cells.decadeOf(128), 10 ** cells.decadeOf(128)]);
  assert.deepEqual(cells.extent(0), [0.01, 100]);
  assert.deepEqual(cellsOf([[0, 1]]).extent(0.02), []);
});
