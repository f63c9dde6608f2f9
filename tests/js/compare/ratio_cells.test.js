/** The ratio of two heat maps. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { alignedAxis } from "../../../static/compare/alignment.js";
import { doublingsDomain, ratioCells } from "../../../static/compare/ratio_cells.js";
import { cellsOf } from "../support/heatmap_cells.js";

const TIMES = { steps: [], times: [] };

test("cells of the same row and place are held against each other, and what one has not is no ratio", () => {
  const one = cellsOf([[2, 2, 128, 0], [128, 128, 128, 128]], { rows: ["a", "b"] });
  const other = cellsOf([[255, 2], [128, 128]], { rows: ["a", "c"], first: [10, 11], last: [10, 11] });
  const axes = [alignedAxis({ steps: [0, 3], times: TIMES }, "start"), alignedAxis({ steps: [10, 11], times: TIMES }, "start")];
  const ratio = ratioCells({ cells: one, axis: axes[0] }, { cells: other, axis: axes[1] }, 4);
  assert.ok(ratio !== null);
  assert.deepEqual([ratio.names, ratio.alone, ratio.columns, ratio.ends], [["a"], 2, 4, [0, 3]]);
  assert.deepEqual(Array.from(ratio.doublings, (each) => Math.round(each * 100) / 100), [13.29, 0, NaN, NaN]);
  const [first, second] = ratio.at(0, 3);
  assert.deepEqual([first.step, second.step], [3, null]);
  assert.ok(ratio.precision > one.precision);
});

test("to a value of zero there is no ratio", () => {
  const axis = alignedAxis({ steps: [0, 1], times: TIMES }, "start");
  const ratio = ratioCells({ cells: cellsOf([[1, 9]]), axis }, { cells: cellsOf([[9, 1]]), axis }, 2);
  assert.deepEqual(Array.from(ratio?.doublings ?? []), [NaN, NaN]);
});

test("without an axis there is no ratio", () => {
  const half = { cells: cellsOf([[1]]), axis: alignedAxis({ steps: [0, 3], times: TIMES }, "time") };
  assert.equal(ratioCells(half, half, 4), null);
});

test("the deepest colour holds all but a few, and one doubling at least", () => {
  const few = new Float32Array(200).fill(-2.5);
  few[0] = 99;
  few[1] = NaN;
  assert.equal(doublingsDomain(few), 3);
  assert.equal(doublingsDomain(new Float32Array([0.1])), 1);
  assert.equal(doublingsDomain(new Float32Array([NaN])), 1);
});
