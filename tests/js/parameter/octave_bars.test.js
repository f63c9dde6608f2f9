import assert from "node:assert/strict";
import { test } from "node:test";

import { barsOf, MOST, ticksOf } from "../../../static/parameter/octave_bars.js";

/** @param {number} first @param {number[]} negative @param {number[]} positive */
function distribution(first, negative, positive) {
  const numel = [...negative, ...positive].reduce((sum, count) => sum + count, 0);
  return { numel, zeros: 0, nan: 0, posinf: 0, neginf: 0, first, negative, positive, rows: null };
}

/** @param {number} count @param {number} [value] */
const same = (count, value = 1) => new Array(count).fill(value);

test("bars go from the largest below zero to the largest above it", () => {
  const bars = barsOf(distribution(-3, [1, 2], [3, 4]), 400, 100);
  assert.deepEqual(bars.map(({ count }) => count), [2, 1, 3, 4]);
  assert.deepEqual(bars.map(({ sign, from, to }) => [sign, from, to]), [[-1, -2, -1], [-1, -3, -2], [1, -3, -2], [1, -2, -1]]);
  assert.deepEqual(bars.map(({ height }) => height), [50, 25, 75, 100]);
});

test("bars do not overlap, lie within the picture and mirror each other", () => {
  const bars = barsOf(distribution(0, same(20), same(20)), 300, 50);
  for (const [i, { x, width }] of bars.entries()) {
    assert.ok(x >= -1e-9 && x + width <= 300 + 1e-9);
    if (i > 0) assert.ok(bars[i - 1].x + bars[i - 1].width <= x + 1e-9);
    const mirrored = bars[bars.length - 1 - i];
    assert.ok(Math.abs(x + width + mirrored.x - 300) < 1e-9);
  }
});

test("the smallest are put together where there are many octaves, and none is lost", () => {
  const counts = Array.from({ length: MOST + 5 }, (_, i) => i + 1);
  const bars = barsOf(distribution(-40, counts, counts), 400, 100).filter(({ sign }) => sign > 0);
  assert.equal(bars.length, MOST);
  assert.ok(bars.slice(1).every(({ from, to }) => from === to - 1));
  assert.deepEqual([bars[0].from, bars[0].to, bars[0].count], [null, -40 + 6, 1 + 2 + 3 + 4 + 5 + 6]);
  const total = (/** @type {number[]} */ numbers) => numbers.reduce((sum, each) => sum + each, 0);
  assert.equal(total(bars.map(({ count }) => count)), total(counts));
});

test("a single number among millions is seen, and where there is none there is nothing", () => {
  const bars = barsOf(distribution(0, [0, 1], [10 ** 7, 0]), 400, 100);
  assert.deepEqual(bars.map(({ height }) => height), [1, 0, 100, 0]);
});

test("powers of ten stand where their octave is, zero in the middle", () => {
  const twelve = distribution(-10, same(12), same(12));
  const ticks = ticksOf(twelve, 600);
  assert.deepEqual(ticks.map(({ label }) => label), ["−1", "−10⁻¹", "−10⁻²", "0", "10⁻²", "10⁻¹", "1"]);
  const one = ticks.find(({ label }) => label === "1");
  const bar = barsOf(twelve, 600, 10).find(({ sign, from }) => sign > 0 && from === 0);
  assert.ok(Math.abs((one?.x ?? 0) - (bar?.x ?? -1)) < 1e-9);
});

test("a side without numbers has no ticks", () => {
  assert.deepEqual(ticksOf(distribution(0, same(8, 0), same(8)), 600).map(({ label }) => label), ["0", "10", "10²"]);
  assert.deepEqual(ticksOf(distribution(0, [], []), 400).map(({ label }) => label), ["0"]);
  assert.deepEqual(barsOf(distribution(0, [], []), 400, 100), []);
});
