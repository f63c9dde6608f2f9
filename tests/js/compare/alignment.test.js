/** Steps of runs over each other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { alignedAxis, alignOf, setBackAt, timeUnit } from "../../../static/compare/alignment.js";

/** @type {{steps: [number, number], times: import("../../../static/compare/alignment.js").Timeline}} */
const SIDE = { steps: [100, 300], times: { steps: [100, 200, 300], times: [50, 60, 90] } };

test("a step has its place on each axis, and each place its step", () => {
  for (const [align, position] of /** @type {const} */ ([["step", 250], ["start", 150], ["share", 75], ["time", 25]])) {
    const axis = alignedAxis(SIDE, align);
    assert.equal(axis.positionOf(250), position, align);
    assert.equal(axis.stepAt(position), 250, align);
    assert.equal(axis.stepAt((axis.ends?.[1] ?? 0) + 1), null, align);
  }
});

test("a clock that was set back takes no time away, and is told", () => {
  const times = { steps: [1, 2, 3, 4], times: [1000, 1010, 400, 420] };
  const axis = alignedAxis({ steps: [1, 4], times }, "time");
  assert.deepEqual(axis.ends, [0, 30]);
  assert.deepEqual([1, 2, 3, 4].map(axis.positionOf), [0, 10, 10, 30]);
  assert.deepEqual([5, 20].map(axis.stepAt), [1.5, 3.5]);
  assert.equal(setBackAt(times), 3);
  assert.equal(setBackAt(SIDE.times), null);
});

test("without times there is no axis of time, and no place on it", () => {
  const axis = alignedAxis({ steps: [0, 9], times: { steps: [], times: [] } }, "time");
  assert.equal(axis.ends, null);
  assert.equal(axis.positionOf(3), null);
  assert.equal(axis.stepAt(0), null);
});

test("the unit of time is one that is read well, and an unknown alignment is the first", () => {
  assert.deepEqual([60, 600, 9000, 500_000].map((seconds) => timeUnit(seconds).unit), ["s", "min", "h", "d"]);
  assert.equal(alignOf("sideways"), "step");
});
