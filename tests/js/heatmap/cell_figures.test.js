/** Figures of cells as the server has them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { figuresOf, groupFigureOf, groupQuery, seriesQuery } from "../../../static/heatmap/cell_figures.js";
import { exactLines, groupLines } from "../../../static/heatmap/heatmap_words.js";

const LINES = ["a.weight", "Steps 10 to 12", "Gradient norm, greatest: 9 ± 2 %", "present"];
const SINGLE = { first_steps: [10, 11, 12], steps: [10, 11, 12], values: [1, 9, 2], min: [1, 9, 2], max: [1, 9, 2], samples: 3 };

test("single samples have their steps, and buckets the steps between which it was", () => {
  assert.deepEqual(figuresOf(SINGLE), {
    samples: 3,
    last: { value: 2, from: 12, to: 12 },
    least: { value: 1, from: 10, to: 10 },
    greatest: { value: 9, from: 11, to: 11 },
  });
  const { greatest, least } = figuresOf({ ...SINGLE, min: [1, null, 0.5], samples: 30 });
  assert.deepEqual([greatest, least], [{ value: 9, from: 11, to: 11 }, { value: 0.5, from: 12, to: 12 }].map((each) => ({ ...each, from: each.to })));
  assert.deepEqual(figuresOf({ ...SINGLE, first_steps: [8, 21, 31], steps: [20, 30, 40], samples: 30 }).least, { value: 1, from: 8, to: 20 });
  assert.deepEqual(figuresOf({ first_steps: [], steps: [], values: [], min: [], max: [], samples: 0 }), { samples: 0, last: null, least: null, greatest: null });
});

test("the words tell one value of one sample, and three with their steps of several", () => {
  const one = figuresOf({ first_steps: [10], steps: [10], values: [900.25], min: [900.25], max: [900.25], samples: 1 });
  assert.deepEqual(exactLines(LINES, one, "grad_norm"), ["a.weight", "Steps 10 to 12", "Gradient norm: 900", "present"]);
  assert.deepEqual(exactLines(LINES, figuresOf(SINGLE), "grad_norm").slice(2), [
    "Gradient norm of 3 samples",
    "greatest 9.00 at step 11",
    "least 1.00 at step 10",
    "last 2.00 at step 12",
    "present",
  ]);
});

test("of several parameters the figure is told with the row that has it", () => {
  const cell = { row: "m", stat: /** @type {const} */ ("grad_norm"), first: 10, last: 12 };
  const answer = (/** @type {[string, ...(number | null)[]][]} */ ...found) => ({ first: [10, 12], last: [11, 12], rows: found.map(([name, ...values]) => ({ name, values })) });
  const rows = answer(["m.a", 2, 3], ["m.b", null, null], ["m.c", 1, 9.5], ["m.d", 0, 4]);
  assert.deepEqual(groupFigureOf(rows, { ...cell, of: "max" }), { value: 9.5, row: "m.c" });
  assert.deepEqual(groupFigureOf(rows, { ...cell, of: "min" }), { value: 0, row: "m.d" });
  assert.equal(groupFigureOf(answer(["m.a", null, null]), { ...cell, of: "max" }), null);
  assert.equal(groupLines(LINES, { value: 9.5, row: "m.c" }, { ...cell, of: "max" })[2], "Gradient norm, greatest: 9.50 in c");
  assert.equal(groupLines(LINES, { value: 9.5, row: "m" }, { ...cell, of: "mean" })[2], "Gradient norm, mean: 9.50");
});

test("an answer about other steps than the cell's, and the mean of several columns, tell nothing", () => {
  const cell = { row: "m", stat: /** @type {const} */ ("grad_norm"), first: 10, last: 12 };
  const rows = [{ name: "m", values: [3] }];
  assert.equal(groupFigureOf({ first: [9], last: [12], rows }, { ...cell, of: "max" }), null);
  assert.equal(groupFigureOf({ first: [10], last: [13], rows }, { ...cell, of: "max" }), null);
  assert.equal(groupFigureOf({ first: [10, 12], last: [11, 12], rows: [{ name: "m", values: [3, 4] }] }, { ...cell, of: "mean" }), null);
  assert.deepEqual(groupFigureOf({ first: [10], last: [12], rows }, { ...cell, of: "mean" }), { value: 3, row: "m" });
});

test("a parameter is asked for by its name, a module by what it matches", () => {
  const cell = { row: "a b", stat: /** @type {const} */ ("grad_norm"), first: 10, last: 12 };
  assert.equal(seriesQuery(cell), "series?parameter=a+b&stat=grad_norm&from=10&to=12&points=600");
  assert.equal(groupQuery({ ...cell, of: "max" }), "heatmap?match=a+b&stat=grad_norm&of=max&from=10&to=12&columns=64&rows=256");
  assert.match(groupQuery({ ...cell, of: "mean" }), /&rows=1$/);
});
