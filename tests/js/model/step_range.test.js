/** Zooming and panning ranges of steps. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { around, between, panned, wayBetween, zoomed } from "../../../static/model/step_range.js";

/** @type {readonly [number, number]} */
const WHOLE = [0, 999];

test("the step under the pointer stays where it is", () => {
  assert.deepEqual(zoomed(WHOLE, 0.5, 250, WHOLE), [125, 624]);
  assert.deepEqual(zoomed([125, 624], 2, 250, WHOLE), null);
});

test("zooming ends at the whole run, and at a few steps", () => {
  assert.equal(zoomed([10, 900], 1.5, 500, WHOLE), null);
  assert.equal(zoomed([10, 900], 1.102, 500, WHOLE), null);
  assert.deepEqual(zoomed([10, 900], 1.09, 500, WHOLE), [0, 970]);
  assert.deepEqual(zoomed([10, 13], 0.1, 11, WHOLE), [10, 13]);
  assert.equal(zoomed([5, 6], 0.5, 5, [5, 6]), null);
});

test("panning and zooming stay within the run", () => {
  assert.deepEqual(panned([900, 949], 100, WHOLE), [950, 999]);
  assert.deepEqual(panned([10, 59], -100, WHOLE), [0, 49]);
  assert.deepEqual(zoomed([900, 999], 2, 990, WHOLE), [800, 999]);
});

test("what is between two steps is chosen in either direction, and wide enough", () => {
  assert.deepEqual(between(300, 200, WHOLE), [200, 300]);
  assert.deepEqual(between(500, 500, WHOLE), [500, 503]);
});

test("a way leads in, out, back or on", () => {
  assert.deepEqual(
    [wayBetween(null, [0, 9]), wayBetween([0, 9], [1, 8]), wayBetween([1, 8], [0, 9]), wayBetween([1, 8], null)],
    ["in", "in", "out", "out"],
  );
  assert.deepEqual([wayBetween([5, 9], [4, 8]), wayBetween([4, 8], [5, 9])], ["back", "on"]);
});

test("the whole run is never narrower than what is in sight", () => {
  assert.deepEqual([around([100, 999], [1, 50]), around([0, 500], [450, 549]), around(WHOLE, null)], [[1, 999], [0, 549], WHOLE]);
});
