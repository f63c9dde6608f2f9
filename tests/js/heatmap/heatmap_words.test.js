/** What the heat map says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { captionOf, cellLines, pixelWords, rowLabel, sharedModule } from "../../../static/heatmap/heatmap_words.js";
import { stateCode } from "../../../static/model/states.js";
import { cellsOf } from "../support/heatmap_cells.js";

test("the caption has the true resolution", () => {
  assert.equal(pixelWords([0, 11_999], 1000), "1 px = 12 steps");
  assert.equal(pixelWords([0, 99], 1000), "1 step = 10.0 px");
  const cells = cellsOf([[9, 9]], { first: [0, 24], last: [23, 47] });
  assert.equal(captionOf(cells, [0, 47], 4, "max", "grad_norm"), "1 px = 12 steps; a cell is 24 steps: greatest gradient norm, worst state");
});

test("a value that was not measured is none, and no zero", () => {
  assert.equal(cellLines(cellsOf([[9, 0]]), 0, 1, "max", "update_ratio")[2], "Update ratio: no value");
});

test("a cell of one parameter at one step says its value, its margin and its state", () => {
  const cells = cellsOf([[255, 1, 0]], { codes: [[1, stateCode("zero"), 1]] });
  assert.deepEqual(cellLines(cells, 0, 0, "max", "grad_norm"), ["row0", "Step 0", "Gradient norm: 100 ± 1.8 %", "present"]);
  assert.deepEqual(cellLines(cells, 0, 1, "max", "grad_norm").slice(2), [
    "Gradient norm: 0",
    "zero: Every element of the gradient is exactly 0.",
  ]);
});

test("a cell of several says which of them, and a step without a sample says so", () => {
  const cells = cellsOf([[255]], { first: [10], last: [19], parameters: [12] });
  const lines = cellLines(cells, 0, 12, "min", "grad_norm");
  assert.deepEqual(lines.slice(0, 3), ["row0 (12 parameters)", "Steps 10 to 19", "Gradient norm, least: 100 ± 1.8 %"]);
  assert.deepEqual(cellLines(cells, 0, 500, "min", "grad_norm")[1], "Step 500: no sample");
});

test("a row is called by what tells it from its neighbours", () => {
  assert.equal(rowLabel("encoder.layers.0 … encoder.layers.3", "encoder"), "layers.0 … 3");
  assert.equal(rowLabel("encoder.layers.0", ""), "encoder.layers.0");
  assert.equal(rowLabel("encoder … decoder", ""), "encoder … decoder");
});

test("what all rows lie in is said once", () => {
  assert.equal(sharedModule(["m.layers.0 … m.layers.3", "m.layers.4"]), "m.layers");
  assert.equal(sharedModule(["m.a.weight"]), "m.a");
  assert.equal(sharedModule(["m", "m.a"]), "");
  assert.equal(sharedModule([]), "");
});
