/** Steps and pixels. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { roundSteps, StepAxis } from "../../../static/heatmap/step_axis.js";

test("a step is as wide as its share, the last one too", () => {
  const axis = new StepAxis([100, 199], 50, 200);
  assert.equal(axis.xOf(100), 50);
  assert.equal(axis.xOf(200), 250);
  assert.equal(axis.wholeStepAt(53), 101);
  assert.equal(axis.wholeStepAt(1000), 199);
  assert.equal(axis.wholeStepAt(0), 100);
});

test("an axis has round steps, and of few steps each one", () => {
  assert.deepEqual(roundSteps([3, 997], 5), [200, 400, 600, 800]);
  assert.deepEqual(roundSteps([7, 10], 20), [7, 8, 9, 10]);
  assert.deepEqual(roundSteps([7, 7], 5), [7]);
});
