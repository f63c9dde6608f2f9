import assert from "node:assert/strict";
import { test } from "node:test";

import { toColumns } from "../../../static/charts/parameter_columns.js";
import { flow } from "../support/figures.js";

test("without such states there is no strip", () => {
  const states = Uint8Array.from([1, 1]);
  const norms = Float32Array.from([1, 2]);
  const columns = toColumns({ states, norms, lows: norms, highs: norms }, 100);
  const { layout } = flow({ columns, stripStates: [] });
  assert.equal(/** @type {any} */ (layout)["yaxis2"].visible, false);
  assert.deepEqual(/** @type {any} */ (layout)["yaxis"].domain, [0, 1]);
});

test("a chart keeps its zoom: the revision is constant", () => {
  assert.equal(flow().layout["uirevision"], flow({ step: 13 }).layout["uirevision"]);
});

test("no hostile name of a module reaches the axis as markup", () => {
  const { layout } = flow();
  const names = /** @type {any[]} */ (layout["annotations"]).map(({ text }) => text);
  assert.ok(names.length > 0);
  assert.equal(names.join().includes("<"), false);
});

test("blocks that are wide enough have a line between them", () => {
  const blocks = Array.from({ length: 4 }, (_, i) => ({ label: String(i), path: `h.${i}`, first: i, last: i }));
  const lines = (/** @type {number} */ width) =>
    /** @type {any[]} */ (flow({ blocks, width }).layout["shapes"]).filter(({ type }) => type === "line").length;
  assert.deepEqual([lines(600), lines(138 + 12)], [3, 0]);
});

test("the strip has a ground of its own, which is not there without a strip", () => {
  const rects = (/** @type {number[]} */ stripStates) =>
    /** @type {any[]} */ (flow({ stripStates }).layout["shapes"]).filter(({ type }) => type === "rect");
  assert.equal(rects([4, 6]).length, 1);
  assert.deepEqual(rects([]), []);
});

test("on a low chart the strip leaves nearly half of the height to the values", () => {
  const { layout } = flow({ stripStates: [0, 2, 3, 4, 5, 6, 7], height: 100 });
  assert.deepEqual(/** @type {any} */ (layout)["yaxis2"].domain, [0, 0.55]);
});
