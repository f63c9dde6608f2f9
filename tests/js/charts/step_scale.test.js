/** Steps and pixels. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { StepScale } from "../../../static/charts/step_scale.js";

test("a pixel is the step nearest to it, and beside the chart there is none", () => {
  const scale = new StepScale([99.5, 109.5], 64, 100);
  assert.deepEqual([63, 64, 69, 74, 164, 165].map((x) => scale.stepAt(x)), [null, 100, 100, 101, 110, null]);
  assert.equal(scale.xOf(100), 69);
  assert.deepEqual([99, 100, 110].map((step) => scale.holds(step)), [false, true, false]);
});

test("a place is a step and how much of it is passed", () => {
  const scale = new StepScale([99.5, 109.5], 64, 100);
  assert.deepEqual([64, 69, 164].map((x) => scale.placeAt(x)), [100, 100.5, 110]);
});

test("of the steps in sight those count that the run has", () => {
  const of = (/** @type {[number, number]} */ range) => new StepScale(range, 64, 100).stepsOf([1, 10_000]);
  assert.deepEqual([of([1, 514.97]), of([5000, 10_150]), of([6.5, 7.5])], [[1, 514], [5000, 10_000], [7, 7]]);
  assert.deepEqual(of([20_000, 20_100]), [1, 10_000]);
});
