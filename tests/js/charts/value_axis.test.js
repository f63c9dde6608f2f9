/** Axes of values. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { clamped, valueAxis } from "../../../static/charts/value_axis.js";

/**
 * The axis of values that are one sample each.
 * @param {(number | null)[]} values
 * @param {boolean} [log]
 */
function axis(values, log = false) {
  return valueAxis([{ values, min: values, max: values }], log);
}

/** @param {ReturnType<typeof axis>} of */
function texts({ ticks }) {
  return ticks.map(({ text }) => text);
}

test("an axis without values has a range, and no ticks", () => {
  for (const empty of [axis([]), axis([null], true), axis([0, 0], true)]) {
    assert.deepEqual(empty.ticks, []);
    assert.ok(empty.range[1] > empty.range[0]);
  }
});

test("every axis of values has at least three ticks, all within its range", () => {
  const cases = [[1], [0, 1], [1.7, 1.9], [0.2, 0.5], [-3, -1], [1e-9, 3e-9], [123456, 123459], [1e300, -1e308], [0.002, 5], [1, 3000], [1e-30, 1]];
  for (const values of cases) {
    for (const log of values.some((value) => value > 0) ? [false, true] : [false]) {
      const { ticks, range } = axis(values, log);
      assert.ok(ticks.length >= 3 && ticks.length <= 10, `${values}, ${log}: ${ticks.length}`);
      assert.ok(ticks.every(({ value }) => value >= range[0] && value <= range[1]), `${values}, ${log}`);
      assert.ok(range[1] > range[0]);
    }
  }
});

test("a learning rate has ticks of its own digits", () => {
  assert.deepEqual(texts(axis([0.0005, 0.001])), ["0.0006", "0.0008", "0.0010"]);
  assert.deepEqual(texts(axis([-3, -1])), ["−3", "−2", "−1"]);
  assert.deepEqual(texts(axis([1e12, 3e12])), ["1.00e12", "2.00e12", "3.00e12"]);
  assert.deepEqual(texts(axis([0.693146, 0.693148])), ["0.693146", "0.693147", "0.693148"]);
});

test("a log axis has powers over decades, and 1, 2 and 5 within few", () => {
  assert.deepEqual(texts(axis([0.002, 5], true)), [-2, -1, 0].map((power) => `10<sup>${power}</sup>`.replace("-", "−")));
  assert.deepEqual(texts(axis([1, 10], true)), ["1", "2", "5", "10"]);
  assert.ok(axis([1e-30, 1], true).ticks.length <= 6);
  assert.deepEqual(axis([0, null, 0.002, 5], true), axis([0.002, 5], true));
});

test("one spike among many does not set the range, nor does it of two values or on a log axis", () => {
  const values = Array.from({ length: 50 }, (_, i) => 1 + i / 50);
  const range = axis([...values, 1390]).range;
  assert.ok(range[1] > 2 && range[1] < 3 && range[0] < 1);
  assert.equal(clamped(axis([...values, 1390]), 1390), range[1]);
  assert.ok(axis([1, 1390]).range[1] > 1390);
  assert.ok(axis([...values, 1390], true).range[1] > 1390);
});

test("a range that the values fill is their own, whatever the shape", () => {
  const falling = Array.from({ length: 100 }, (_, i) => 10 * 0.97 ** i);
  assert.ok(axis(falling).range[1] > 10);
  const loss = Array.from({ length: 1000 }, (_, i) => 2.6 * Math.exp(-i / 8) + 0.1 + 0.1 * Math.sin(i));
  assert.ok(axis(loss).range[1] > 2.6);
  assert.ok(axis([...Array.from({ length: 20 }, (_, i) => 1 + i / 20), 3]).range[1] > 3);
  assert.ok(axis([...Array(20).fill(3), 900]).range[1] > 900);
});

test("on a log axis, and where values are looked at one by one, all of them are on it", () => {
  const values = Array.from({ length: 100 }, (_, i) => (i === 50 ? 1e9 : 1 + i / 1e4));
  const points = [{ values, min: values, max: values }];
  assert.ok(valueAxis(points, true).range[1] > 1e9);
  assert.ok(valueAxis(points, false).range[1] < 2);
  assert.ok(valueAxis(points, false, { outliers: false }).range[1] > 1e9);
});
