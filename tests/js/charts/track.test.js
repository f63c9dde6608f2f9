import assert from "node:assert/strict";
import { test } from "node:test";

import { bucketed, joined, lastStep, stepRange, trackOf, trackOfMetric, trackOfSeries, trackWithin } from "../../../static/charts/track.js";

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
  const coarse = { ...trackOf({ steps: [100, 200], values: [1, 2] }), begins: [1, 101], min: [0, 1], max: [5, 6], nonfinite: ["", "NaN"], samples: 200 };
  const fine = trackOf({ steps: [201, 202, 203, 300], values: [3, 4, 5, 6] });
  const made = bucketed(joined(coarse, fine), 3);
  assert.deepEqual([made.begins, made.steps], [[1, 101, 201], [100, 200, 300]]);
  assert.deepEqual(made.max, [5, 6, 6]);
  assert.equal(made.samples, 204);
  assert.deepEqual(made.nonfinite, ["", "NaN", ""]);
});

test("a bucket that begins without a value takes its range from those that follow", () => {
  const made = bucketed(trackOf({ steps: [1, 2, 3, 4], values: [null, 5, 2, null] }), 1);
  assert.deepEqual([made.min, made.max, made.values], [[2], [5], [null]]);
});

test("several tracks span from their first step to their last", () => {
  assert.deepEqual(stepRange([{ begins: [3, 4], steps: [3, 9] }, { begins: [], steps: [] }, { begins: [1, 6], steps: [5, 7] }]), [1, 9]);
});

test("what a track has within a range, with a point to either side", () => {
  const states = ["", "", "nonfinite", ""];
  const track = { begins: [0, 2, 6, 10], steps: [1, 5, 9, 12], values: [1, 2, null, 3], min: [0, 1, null, 3], max: [3, 4, null, 3], nonfinite: ["", "", "∞", ""], states, samples: 30 };
  const kept = { begins: [0, 2, 6], steps: [1, 5, 9], values: [1, 2, null], min: [0, 1, null], max: [3, 4, null], nonfinite: ["", "", "∞"], states: states.slice(0, 3), samples: 3 };
  assert.deepEqual(trackWithin(track, [4, 8]), kept);
  assert.deepEqual(trackWithin(track, [1, 5]).steps, [1, 5]);
  assert.deepEqual(trackWithin(track, [10, 20]).steps, [9, 12]);
  assert.deepEqual(trackWithin(track, [13, 20]).steps, [12]);
});

test("a bucket tells of all that was not finite in it, each once", () => {
  const track = { ...trackOf({ steps: [1, 2, 3, 4], values: [null, null, null, 1] }), nonfinite: ["NaN", "∞", "NaN", ""] };
  assert.deepEqual(bucketed(track, 1).nonfinite, ["NaN, ∞"]);
});

test("a bucket begins where the first that is in it does, and its state is the worst", () => {
  const track = { ...trackOf({ steps: [5, 9, 12, 20], values: [1, 2, 3, 4] }), begins: [2, 6, 12, 15], states: ["present", "absent", "present", "frozen"] };
  const made = bucketed(track, 2);
  assert.deepEqual([made.begins, made.steps, made.states], [[2, 12], [9, 20], ["absent", "frozen"]]);
});

test("however long a run and wide a chart, the first step is in the first bucket and in the range", () => {
  for (const length of [1, 2, 7, 496, 497, 600, 3000, 6000, 20_000]) {
    const track = trackOf({ steps: Array.from({ length }, (_, i) => i + 2), values: Array(length).fill(1) });
    for (const width of [100, 237, 480, 639, 1190, 2400]) {
      const made = bucketed(track, width);
      assert.equal(made.begins[0], 2);
      assert.deepEqual(stepRange([made]), [2, length + 1]);
      assert.ok(made.begins.every((first, i) => i === 0 || first === made.steps[i - 1] + 1), `${length} steps, ${width} px`);
    }
  }
});

test("what the server says of a bucket's steps is kept", () => {
  const row = { first_steps: [3, 14], steps: [12, 24], values: [1, 2], min: [1, 2], max: [1, 2] };
  assert.deepEqual(trackOfSeries({ ...row, states: ["present", "absent"], samples: 20 }).begins, [3, 14]);
  assert.deepEqual(trackOfMetric({ ...row, count: [9, 9], nan: [0, 0], posinf: [0, 0], neginf: [0, 0] }).begins, [3, 14]);
});

test("of steps that a resumed job took again the later count, and no extreme of the others is lost", () => {
  const of = (/** @type {[number, number][]} */ buckets, /** @type {number} */ samples) => {
    const [first_steps, steps] = [buckets.map(([first]) => first), buckets.map(([, last]) => last)];
    const values = steps.map((_, i) => i);
    return trackOfSeries({ first_steps, steps, values, min: values, max: values, states: steps.map(() => "present"), samples });
  };
  const single = of([[1, 1], [3, 3], [5, 5], [2, 2], [4, 4], [6, 6]], 6);
  assert.deepEqual([single.steps, single.values, single.samples], [[1, 2, 4, 6], [0, 3, 4, 5], 4]);
  const wide = of([[1, 100], [101, 200], [150, 260]], 300);
  assert.deepEqual([wide.begins, wide.steps, wide.max], [[1, 101, 150], [100, 149, 260], [0, 1, 2]]);
  const again = of([[1, 100], [101, 200], [50, 120], [121, 180]], 300);
  assert.deepEqual([again.begins, again.steps], [[1, 50, 121], [49, 120, 180]]);
  assert.deepEqual(of([[1, 5], [5, 9]], 10).steps, [4, 9]);
  const resumed = of([[4, 4], [5, 5], [5, 5], [6, 6]], 4);
  assert.deepEqual([resumed.steps, resumed.values, resumed.samples], [[4, 5, 6], [0, 2, 3], 3]);
});

test("values of a metric that were logged at one step are all kept", () => {
  const none = [0, 0, 0];
  const row = { first_steps: [4, 5, 5], steps: [5, 5, 9], values: [1, 2, 3], min: [1, 2, 3], max: [1, 2, 3] };
  assert.deepEqual(trackOfMetric({ ...row, count: [2, 1, 5], nan: none, posinf: none, neginf: none }).values, [1, 2, 3]);
});
