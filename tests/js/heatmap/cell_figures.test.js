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
  const rows = (/** @type {[string, number | null][]} */ ...found) => ({ rows: found.map(([name, value]) => ({ name, parameters: 1, values: [value], states: [] })) });
  const answer = rows(["m.a", 2], ["m.b", null], ["m.c", 9.5], ["m.d", 0]);
  assert.deepEqual(groupFigureOf(answer, "max"), { value: 9.5, row: "m.c" });
  assert.deepEqual(groupFigureOf(answer, "min"), { value: 0, row: "m.d" });
  assert.equal(groupFigureOf(rows(["m.a", null]), "max"), null);
  const cell = { row: "m", stat: /** @type {const} */ ("grad_norm"), first: 10, last: 12 };
  assert.equal(groupLines(LINES, { value: 9.5, row: "m.c" }, { ...cell, of: "max" })[2], "Gradient norm, greatest: 9.50 in c");
  assert.equal(groupLines(LINES, { value: 9.5, row: "m" }, { ...cell, of: "mean" })[2], "Gradient norm, mean: 9.50");
});

test("a parameter is asked for by its name, a module by what it matches", () => {
  const cell = { row: "a b", stat: /** @type {const} */ ("grad_norm"), first: 10, last: 12 };
  assert.equal(seriesQuery(cell), "series?parameter=a+b&stat=grad_norm&from=10&to=12&points=600");
  assert.equal(groupQuery({ ...cell, of: "max" }), "heatmap?match=a+b&stat=grad_norm&of=max&from=10&to=12&columns=1&rows=512");
  assert.match(groupQuery({ ...cell, of: "mean" }), /&rows=1$/);
});
