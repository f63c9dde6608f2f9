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
