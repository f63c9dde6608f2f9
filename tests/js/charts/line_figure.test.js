import assert from "node:assert/strict";
import { test } from "node:test";

import { chart, line } from "../support/figures.js";

test("a mark outside the lines' steps is not drawn, and the axis is the lines' own", () => {
  const { data, layout } = chart({
    lines: [line([100, 200], [1, 2]), line([150, 300], [1, 2], "b")],
    tokens: { "state-frozen": "blue", "state-gated": "pink" },
    marks: [5, 100, 250, 301].map((step) => ({ step, kind: /** @type {const} */ ("command"), label: "freeze a", gating: step === 250 })),
  });
  assert.deepEqual(data.find((each) => each["yaxis"] === "y2")?.["x"], [100, 250]);
  const shapes = /** @type {any} */ (layout)["shapes"];
  assert.deepEqual(shapes.map((/** @type {any} */ { line }) => line.color), ["blue", "pink"]);
  assert.deepEqual(/** @type {any} */ (layout)["xaxis"].range, [100, 306]);
});

test("a narrow chart has fewer steps below it, and none of them is turned", () => {
  const ticks = [900, 300].map((width) => {
    const { nticks, tickangle } = /** @type {any} */ (chart({ width, lines: [line([1, 100], [1, 2])] }).layout)["xaxis"];
    return [nticks, tickangle];
  });
  assert.deepEqual(ticks, [[8, 0], [3, 0]]);
});

test("where there is room for more ticks than steps, each step has one", () => {
  const ticks = [[7], [7, 9]].map((steps) => /** @type {any} */ (chart({ lines: [line(steps, steps)] }).layout)["xaxis"].tickvals);
  assert.deepEqual(ticks, [[7], [7, 8, 9]]);
});

test("a range in sight is the axis, whatever the lines' steps are, and one step alone is in its middle", () => {
  const steps = (/** @type {object} */ changes) => /** @type {any} */ (chart(changes).layout["xaxis"]).range;
  assert.deepEqual(steps({ lines: [line([100, 200], [1, 2])], range: [150, 300] }), [149.5, 300.5]);
  assert.equal(steps({ lines: [{ ...line([12, 24], [1, 2]), begins: [3, 13] }], range: null })[0], 3);
  assert.deepEqual(steps({ lines: [line([7], [1])] }), [6.5, 7.5]);
});

test("panes stand below one another, each with its own axis and title, under the same marks", () => {
  const panes = [line([1, 2], [1, 2], "a<b"), line([1, 2], [100, 200], "b")].map((each) => ({ lines: [each], log: false, title: each.name }));
  const { data, layout } = /** @type {any} */ (chart({ panes }));
  assert.deepEqual(["a&lt;b", "b"].map((name) => data.find((/** @type {any} */ each) => each.name === name).yaxis), ["y", "y3"]);
  assert.ok(layout.yaxis.domain[0] > layout.yaxis3.domain[1]);
  assert.ok(layout.yaxis.range[1] < layout.yaxis3.range[0]);
  assert.deepEqual([layout.yaxis2.domain, layout.xaxis.anchor], [[0, 1], "y3"]);
  assert.deepEqual(layout.annotations.map((/** @type {any} */ { text }) => text), ["a&lt;b", "b"]);
});

test("what a pane is to show beside its lines has its place on the axis", () => {
  const panes = [{ lines: [line([1, 2], [1, 2])], log: false, title: "", also: [50] }];
  assert.ok(/** @type {any} */ (chart({ panes }).layout["yaxis"]).range[1] > 50);
});

test("a value far off sets no axis of the whole run, and does where every sample of a range is drawn", () => {
  const values = Array.from({ length: 100 }, (_, i) => 1 + (i % 10) / 10);
  values[40] = 1390;
  const far = line(values.map((_, i) => i), values);
  const top = (/** @type {object} */ changes) => /** @type {any} */ (chart({ lines: [far], log: false, ...changes }).layout["yaxis"]).range[1];
  assert.ok(top({ range: null }) < 3);
  assert.ok(top({ range: [30, 50] }) > 1390);
  assert.ok(top({ range: [50, 90] }) < 3);
  assert.ok(top({ range: [0, 99], lines: [{ ...far, everySample: false }] }) < 3);
});

test("what is out of sight is no extreme, and sets no axis unless there is nothing else", () => {
  const steps = Array.from({ length: 20 }, (_, i) => i * 10);
  const values = steps.map((step) => (step === 50 ? 900 : 1));
  const buckets = { ...line(steps, values), begins: steps.map((step) => step - 9), min: values.map(() => 1), everySample: false };
  const marked = (/** @type {readonly [number, number]} */ range) => {
    const { data, layout } = /** @type {any} */ (chart({ lines: [buckets], range }));
    return { marks: data.filter((/** @type {any} */ each) => each.name === "extreme").map((/** @type {any} */ each) => each.x), top: 10 ** layout.yaxis.range[1] };
  };
  assert.deepEqual(marked([41, 60]).marks, [[50]]);
  assert.ok(marked([61, 80]).top < 2);
  assert.ok(marked([45, 49]).top > 900);
  assert.ok(marked([500, 600]).top > 900);
});

test("steps in which there is nothing to draw have their axis, and no numbers beside it", () => {
  for (const lines of [[], [line([448, 455, 460], [3, null, null])]]) {
    const { layout } = /** @type {any} */ (chart({ lines, range: [450, 499] }));
    assert.deepEqual([layout.xaxis.range, layout.yaxis.ticktext], [[449.5, 499.5], []]);
  }
});
