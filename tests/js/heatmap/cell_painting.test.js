/** Cells as pixels. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { drawnColumn, paintCells, pixelColumns, stateRuns } from "../../../static/heatmap/cell_painting.js";
import { StepAxis } from "../../../static/heatmap/step_axis.js";
import { stateCode } from "../../../static/model/states.js";
import { cellsOf } from "../support/heatmap_cells.js";

const [PRESENT, NONFINITE, FROZEN] = [stateCode("present"), stateCode("nonfinite"), stateCode("frozen")];

test("a spike of one step among a thousand is two pixels wide in a hundred", () => {
  const shades = Array(1000).fill(100);
  shades[503] = 250;
  const shown = pixelColumns(cellsOf([shades]), 0, new StepAxis([0, 999], 0, 100), 1);
  assert.deepEqual([...shown].flatMap((column, x) => (column === 503 ? [x] : [])), [50, 51]);
});

test("what is drawn at a place is told there, also where it is wider than its steps", () => {
  const shades = Array(1000).fill(100);
  shades[503] = 250;
  const cells = cellsOf([shades]);
  const drawn = (/** @type {StepAxis} */ axis, /** @type {number} */ x) => drawnColumn(cells, 0, [0, 999], axis, x, 1);
  const whole = new StepAxis([0, 999], 20, 100);
  assert.deepEqual([70, 70.9, 71].map((x) => drawn(whole, x)), [503, 503, 503]);
  assert.notEqual(drawn(whole, 69.9), 503);
  assert.equal(drawn(whole, 19), -1);
  assert.equal(drawn(new StepAxis([500, 509], 20, 100), 51), 503);
});

test("of several steps in one pixel the greatest is seen, if it is no outlier too", () => {
  const shades = Array(1000).fill(100);
  shades[503] = 105;
  const shown = pixelColumns(cellsOf([shades]), 0, new StepAxis([0, 999], 0, 100), 1);
  assert.deepEqual([...shown].flatMap((column, x) => (column === 503 ? [x] : [])), [50]);
});

test("a trouble of one step is seen over greater values", () => {
  const codes = Array(1000).fill(PRESENT);
  codes[503] = NONFINITE;
  const shades = Array.from({ length: 1000 }, (_, i) => (i === 503 ? 0 : 200));
  const shown = pixelColumns(cellsOf([shades], { codes: [codes] }), 0, new StepAxis([0, 999], 0, 100), 1);
  assert.deepEqual([...shown].flatMap((column, x) => (column === 503 ? [x] : [])), [50, 51]);
});

test("where there is no sample there is no ink", () => {
  const cells = cellsOf([[9, 9, 9, 9]], { first: [0, 1, 2, 50], last: [0, 1, 2, 50] });
  const shown = pixelColumns(cells, 0, new StepAxis([0, 50], 0, 51), 1);
  assert.deepEqual([shown[2], shown[3], shown[49], shown[50]], [2, -1, -1, 3]);
});

test("a state has a pattern of its own, below the value where there is one", () => {
  const cells = cellsOf([[0, 7]], { codes: [[NONFINITE, FROZEN]] });
  const inks = { shades: Uint32Array.from({ length: 256 }, (_, i) => i), states: new Uint32Array(8).fill(1000), ground: 2000 };
  const pixels = paintCells(cells, new StepAxis([0, 1], 0, 8), [0, 4], inks, 1);
  assert.deepEqual([...pixels.subarray(0, 4)], [1000, 1000, 1000, 1000]);
  assert.deepEqual([...pixels.subarray(4, 8)], [7, 7, 7, 7]);
  assert.deepEqual(new Set(pixels.subarray(28, 32)), new Set([1000, 2000]));
});

test("a weight that stays has the pattern of zero, and what was not measured has none", () => {
  const cells = cellsOf([[1, 0]], { codes: [[PRESENT, PRESENT]] });
  const inks = { shades: new Uint32Array(256), states: Uint32Array.from({ length: 8 }, (_, code) => 1000 + code), ground: 2000 };
  const pixels = paintCells(cells, new StepAxis([0, 1], 0, 8), [0, 6], inks, 1);
  const column = (/** @type {number} */ x) => [0, 1, 2, 3].map((y) => pixels[y * 8 + x]);
  assert.deepEqual(column(0), [1000 + stateCode("zero"), 2000, 2000, 1000 + stateCode("zero")]);
  assert.deepEqual(column(7), [0, 0, 0, 0]);
});

test("runs of a state end where it changes", () => {
  const codes = [PRESENT, FROZEN, FROZEN, NONFINITE, PRESENT];
  assert.deepEqual(stateRuns(cellsOf([[1, 0, 0, 0, 1]], { codes: [codes] }), 0), [
    { state: FROZEN, from: 1, to: 3 },
    { state: NONFINITE, from: 3, to: 4 },
  ]);
});
