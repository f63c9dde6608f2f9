import assert from "node:assert/strict";
import { test } from "node:test";

import { beginningOf, bucketed, joined, lastStep, stepRange, trackOf, trackWithin } from "../../../static/charts/track.js";

const COUNT = 2000;

/** 2,000 steps of 1, with one spike and one gap. */
function spiked() {
  const values = /** @type {(number | null)[]} */ (Array(COUNT).fill(1));
  values[777] = 500;
  values[1200] = null;
  return trackOf({ steps: values.map((_, i) => i + 1), values });
}

test("with room enough a track is drawn as it is", () => {
  const track = spiked();
  assert.equal(bucketed(track, COUNT), track);
});

test("a bucket keeps its last value, its lowest and its highest: no spike is lost", () => {
  const made = bucketed(spiked(), 100);
  assert.ok(made.steps.length <= 100);
  assert.equal(Math.max(...made.max.map(Number)), 500);
  assert.equal(made.values.includes(500), false);
  assert.equal(lastStep(made), COUNT);
  assert.equal(made.samples, COUNT);
});

test("a bucket whose last step has no value has none, and keeps its range", () => {
  const made = bucketed(trackOf({ steps: [1, 2, 3, 4], values: [3, null, null, null] }), 2);
  assert.deepEqual(made.values, [null, null]);
  assert.deepEqual(made.max, [3, null]);
});

test("buckets are of equal steps, however unequal the points before", () => {
  const coarse = { steps: [100, 200], values: [1, 2], min: [0, 1], max: [5, 6], nonfinite: ["", "NaN"], samples: 200 };
  const fine = trackOf({ steps: [201, 202, 203, 300], values: [3, 4, 5, 6] });
  const made = bucketed(joined(coarse, fine), 3);
  assert.deepEqual(made.steps, [100, 203, 300]);
  assert.deepEqual(made.max, [5, 6, 6]);
  assert.equal(made.samples, 204);
  assert.deepEqual(made.nonfinite, ["", "NaN", ""]);
});

test("a bucket that begins without a value takes its range from those that follow", () => {
  const made = bucketed(trackOf({ steps: [1, 2, 3, 4], values: [null, 5, 2, null] }), 1);
  assert.deepEqual([made.min, made.max, made.values], [[2], [5], [null]]);
});

test("several tracks span from their first step to their last", () => {
  assert.deepEqual(stepRange([{ steps: [3, 9] }, { steps: [] }, { steps: [1, 2] }]), [1, 9]);
});

test("what a track has within a range, with a point to either side", () => {
  const track = { steps: [1, 5, 9, 12], values: [1, 2, null, 3], min: [0, 1, null, 3], max: [3, 4, null, 3], nonfinite: ["", "", "∞", ""], samples: 30 };
  assert.deepEqual(trackWithin(track, [4, 8]), { steps: [1, 5, 9], values: [1, 2, null], min: [0, 1, null], max: [3, 4, null], nonfinite: ["", "", "∞"], samples: 3 });
  assert.deepEqual(trackWithin(track, [1, 5]).steps, [1, 5]);
  assert.deepEqual(trackWithin(track, [10, 20]).steps, [9, 12]);
  assert.deepEqual(trackWithin(track, [13, 20]).steps, [12]);
});

test("a bucket tells of all that was not finite in it, each once", () => {
  const track = { ...trackOf({ steps: [1, 2, 3, 4], values: [null, null, null, 1] }), nonfinite: ["NaN", "∞", "NaN", ""] };
  assert.deepEqual(bucketed(track, 1).nonfinite, ["NaN, ∞"]);
});

test("a line of buckets begins a bucket before the end of its first, and one of samples at the first", () => {
  assert.equal(beginningOf({ steps: [12, 24, 36], everySample: false }), 1);
  assert.equal(beginningOf({ steps: [512, 524], everySample: false }), 501);
  assert.equal(beginningOf({ steps: [10, 30], everySample: false }), 1);
  assert.equal(beginningOf({ steps: [12, 24], everySample: true }), 12);
  assert.equal(beginningOf({ steps: [7], everySample: false }), 7);
});
