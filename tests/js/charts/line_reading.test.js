/** What lines say at a step. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readingAt, readingWords } from "../../../static/charts/line_reading.js";
import { line } from "../support/figures.js";

/** Two buckets of ten steps each, with a spike in the second. */
function buckets() {
  return { ...line([10, 20], [1, 2]), begins: [1, 11], min: [0.5, 1.5], max: [1, 1390], everySample: false };
}

/** @param {import("../../../static/charts/line_traces.js").Line} of @param {number} step */
function read(of, step) {
  const reading = readingAt(of, step);
  assert.ok(reading);
  return reading;
}

test("a step is read from the bucket that it is in", () => {
  const steps = [1, 10, 11, 20, 99].map((step) => read(buckets(), step).steps);
  assert.deepEqual(steps, [[1, 10], [1, 10], [11, 20], [11, 20], [11, 20]]);
});

test("among samples the nearest is read, at its own step", () => {
  const samples = line([10, 20], [1, 2]);
  assert.deepEqual([11, 14, 16].map((step) => read(samples, step).steps), [[10, 10], [10, 10], [20, 20]]);
  assert.equal(readingAt(line([], []), 3), null);
});

test("between two buckets, where nothing was sampled, the nearer is read", () => {
  const apart = { ...buckets(), begins: [1, 19] };
  assert.deepEqual([12, 14, 15, 19].map((step) => read(apart, step).steps), [[1, 10], [1, 10], [19, 20], [19, 20]]);
});

test("a bucket tells last, lowest and highest, with their steps where those are known", () => {
  const reading = read(buckets(), 15);
  assert.deepEqual(readingWords(reading, null), ["last 2.00 of steps 11 to 20", "lowest 1.50, highest 1.39e3"]);
  const exact = { min: { value: 1.5, steps: /** @type {[number, number]} */ ([12, 14]) }, max: { value: 1389.6, steps: /** @type {[number, number]} */ ([17, 17]) } };
  assert.equal(readingWords(reading, exact)[1], "lowest 1.50 at steps 12 to 14, highest 1.39e3 at step 17");
});

test("a sample tells its value, and what is not finite by its name", () => {
  assert.deepEqual(readingWords(read(line([1234], [0.25]), 1234), null), ["0.250 at step 1,234"]);
  assert.deepEqual(readingWords(read({ ...line([7], [null]), nonfinite: ["NaN"] }, 7), null), ["NaN at step 7"]);
  assert.deepEqual(readingWords(read(line([7], [null]), 7), null), ["no value at step 7"]);
  assert.deepEqual(readingWords(read({ ...line([7], [2]), smooth: [1.5] }, 7), null), ["2.00 at step 7", "smoothed 1.50"]);
  assert.match(readingWords(read({ ...buckets(), nonfinite: ["", "∞"] }, 15), null).join("; "), /∞ among them$/);
});
