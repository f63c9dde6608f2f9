/** Figures of cells as the server has them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CellReader, figuresOf } from "../../../static/heatmap/cell_figures.js";
import { exactLines } from "../../../static/heatmap/heatmap_words.js";

const LINES = ["a.weight", "Steps 10 to 12", "Gradient norm, greatest: 9 ± 2 %", "present"];
const SINGLE = { steps: [10, 11, 12], values: [1, 9, 2], min: [1, 9, 2], max: [1, 9, 2], samples: 3 };

test("single samples have their steps, and buckets the steps between which it was", () => {
  assert.deepEqual(figuresOf(SINGLE, 10), {
    samples: 3,
    last: { value: 2, from: 12, to: 12 },
    least: { value: 1, from: 10, to: 10 },
    greatest: { value: 9, from: 11, to: 11 },
  });
  const { greatest, least } = figuresOf({ ...SINGLE, min: [1, null, 0.5], samples: 30 }, 8);
  assert.deepEqual([greatest, least], [{ value: 9, from: 11, to: 11 }, { value: 0.5, from: 12, to: 12 }].map((each) => ({ ...each, from: each.to })));
  assert.deepEqual(figuresOf({ ...SINGLE, steps: [20, 30, 40], samples: 30 }, 8).least, { value: 1, from: 8, to: 20 });
  assert.deepEqual(figuresOf({ steps: [], values: [], min: [], max: [], samples: 0 }, 8), { samples: 0, last: null, least: null, greatest: null });
});

test("the words tell one value of one sample, and three with their steps of several", () => {
  const one = figuresOf({ steps: [10], values: [900.25], min: [900.25], max: [900.25], samples: 1 }, 10);
  assert.deepEqual(exactLines(LINES, one, "grad_norm"), ["a.weight", "Steps 10 to 12", "Gradient norm: 900", "present"]);
  assert.deepEqual(exactLines(LINES, figuresOf(SINGLE, 10), "grad_norm").slice(2), [
    "Gradient norm of 3 samples",
    "greatest 9.00 at step 11",
    "least 1.00 at step 10",
    "last 2.00 at step 12",
    "present",
  ]);
});

test("a cell is asked for once, when the pointer rests on it", async () => {
  /** @type {string[]} */
  const asked = [];
  const emitter = new EventTarget();
  const got = new Promise((resolve) => emitter.addEventListener("got", resolve));
  const reader = new CellReader("/api", () => emitter.dispatchEvent(new Event("got")), (path) => (asked.push(path), Promise.resolve(SINGLE)), 1);
  const cell = { parameter: "a", stat: /** @type {const} */ ("grad_norm"), first: 10, last: 12 };
  assert.equal(reader.figures({ ...cell, first: 0 }), null);
  assert.equal(reader.figures(cell), null);
  assert.equal(reader.figures(cell), null);
  await got;
  assert.deepEqual(asked, ["/api/series?parameter=a&stat=grad_norm&from=10&to=12&points=600"]);
  assert.equal(reader.figures(cell)?.greatest?.value, 9);
});
