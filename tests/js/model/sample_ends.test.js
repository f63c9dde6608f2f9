/** How far samples stand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { endsOf } from "../../../static/model/sample_ends.js";

/** @param {number[]} steps */
function ends(steps) {
  return [...endsOf(steps, steps)];
}

test("a sample stands for the steps up to the next one, however far apart all of them are", () => {
  assert.deepEqual(ends([500, 1000, 1500]), [1000, 1500, 2000]);
  assert.deepEqual(ends([1, 2, 3]), [2, 3, 4]);
  assert.deepEqual([ends([7]), ends([]), ends([1, 500])], [[8], [], [500, 999]]);
});

test("samples that become rarer leave no gap, and one out of turn makes none", () => {
  assert.deepEqual(ends([1, 2, 3, 40, 77, 577, 1077]).slice(0, -1), [2, 3, 40, 77, 577, 1077]);
  assert.deepEqual(ends([500, 1000, 1001, 1500, 2000]).slice(0, -1), [1000, 1001, 1500, 2000]);
});

test("a pause that is much longer than those around it is a gap", () => {
  assert.deepEqual(ends([0, 10, 20, 500, 510, 520]), [10, 20, 30, 510, 520, 530]);
  assert.deepEqual(ends([1, 2, 3, 900]), [2, 3, 4, 901]);
});

test("where a job went back, what it took again is no gap", () => {
  assert.deepEqual(ends([1, 2, 3, 2, 3, 4]), [2, 3, 4, 3, 4, 5]);
});

test("buckets stand up to the next as samples do", () => {
  assert.deepEqual([...endsOf([1, 11, 21, 900], [10, 20, 30, 910])], [11, 21, 31, 911]);
});
