import assert from "node:assert/strict";
import { test } from "node:test";

import { toColumns } from "../../../static/charts/parameter_columns.js";

/**
 * @param {number[]} states
 * @param {number[]} norms
 * @param {number[]} [lows]
 * @param {number[]} [highs]
 */
function sample(states, norms, lows = norms, highs = norms) {
  return {
    states: Uint8Array.from(states),
    norms: Float32Array.from(norms),
    lows: Float32Array.from(lows),
    highs: Float32Array.from(highs),
  };
}

test("with room enough every parameter is a mark of its own", () => {
  const { perColumn, marks } = toColumns(sample([1, 4, 1], [0.5, NaN, 2]), 100);
  assert.equal(perColumn, 1);
  assert.deepEqual(marks.get(1)?.map(({ x, norm }) => [x, norm]), [
    [0, 0.5],
    [2, 2],
  ]);
  assert.deepEqual(marks.get(4)?.map(({ x }) => x), [1]);
});

test("a column shows its largest norm and says for how many", () => {
  const { perColumn, marks } = toColumns(sample([1, 1, 1, 1], [1, 8, 2, 4]), 2);
  assert.equal(perColumn, 2);
  assert.deepEqual(marks.get(1)?.map(({ x, norm, count }) => [x, norm, count]), [
    [1, 8, 2],
    [3, 4, 2],
  ]);
});

test("no state of a column is lost", () => {
  const { marks } = toColumns(sample([1, 3, 4, 2], [1, NaN, NaN, 0]), 1);
  assert.deepEqual([...marks.keys()].sort(), [1, 2, 3, 4]);
});

test("a state with and without a norm has a mark for each", () => {
  const { marks } = toColumns(sample([5, 5], [0.5, 0]), 1);
  assert.equal(marks.get(5)?.length, 2);
});

test("a column's range spans the lowest and highest of all its samples", () => {
  const { ranges } = toColumns(sample([1, 1], [1, 2], [0.5, 1], [4, 3]), 1);
  assert.deepEqual(ranges, [{ x: 0.5, low: 0.5, high: 4 }]);
});

test("a parameter that did not move, or has no norm, has no range", () => {
  assert.deepEqual(toColumns(sample([1, 4], [1, NaN]), 10).ranges, []);
});

test("columns are never more than there is room for", () => {
  const { perColumn, marks } = toColumns(sample(Array(5).fill(1), [1, 2, 3, 4, 5]), 3);
  assert.equal(perColumn, 2);
  assert.equal(marks.get(1)?.length, 3);
});
