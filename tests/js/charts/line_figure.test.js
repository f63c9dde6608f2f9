import assert from "node:assert/strict";
import { test } from "node:test";

import { chart, line } from "../support/figures.js";

test("a mark outside the lines' steps is not drawn, and the axis is the lines' own", () => {
  const { data, layout } = chart({
    lines: [line([100, 200], [1, 2]), line([150, 300], [1, 2], "b")],
    tokens: { "state-frozen": "blue", "state-gated": "pink" },
    marks: [5, 100, 250, 301].map((step) => ({ step, label: "freeze a", gating: step === 250 })),
  });
  assert.deepEqual(data.find((each) => each["yaxis"] === "y2")?.["x"], [100, 250]);
  const shapes = /** @type {any} */ (layout)["shapes"];
  assert.deepEqual(shapes.map((/** @type {any} */ { line }) => line.color), ["blue", "pink"]);
  assert.deepEqual(/** @type {any} */ (layout)["xaxis"].autorangeoptions, { minallowed: 100, maxallowed: 306 });
});

test("a narrow chart has fewer steps below it, and none of them is turned", () => {
  const ticks = [900, 300].map((width) => {
    const { nticks, tickangle } = /** @type {any} */ (chart({ width }).layout)["xaxis"];
    return [nticks, tickangle];
  });
  assert.deepEqual(ticks, [[8, 0], [3, 0]]);
});

test("the ticks of a log axis are powers over decades, and 1, 2, 5 within one", () => {
  const axis = (/** @type {number[]} */ values) =>
    /** @type {any} */ (
      chart({
        lines: [line([1, 2], values)],
      }).layout["yaxis"]
    );
  assert.equal(axis([1.7, 1.9]).dtick, undefined);
  assert.equal(axis([0.2, 0.5]).dtick, "D2");
  assert.deepEqual(axis([0.002, 5]).ticktext.includes("10<sup>−2</sup>"), true);
  assert.ok(axis([1e-30, 1]).tickvals.length <= 6);
});

test("a value that has no place on a log axis moves none of its ticks", () => {
  const axis = (/** @type {(number | null)[]} */ values) =>
    /** @type {any} */ (chart({ lines: [line(values.map((_, i) => i), values)] }).layout["yaxis"]);
  assert.deepEqual(axis([0, null, 0.002, 5]).ticktext, axis([0.002, 5]).ticktext);
});

test("one step alone has the automatic range", () => {
  const axis = /** @type {any} */ (chart({ lines: [line([7], [1])] }).layout["xaxis"]);
  assert.deepEqual(axis.autorangeoptions, {});
});
