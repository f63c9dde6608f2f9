/** Smoothed lines. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { smoothed } from "../../../static/charts/smoothing.js";

test("a constant stays what it is from its first value on, and a gap is a gap", () => {
  const values = [4, 4, null, 4];
  assert.deepEqual(smoothed(values, 20).map((value) => value && Number(value.toFixed(12))), values);
});

test("noise becomes less, by about the span, and a step is followed", () => {
  const noisy = Array.from({ length: 400 }, (_, i) => (i % 2 === 0 ? 1 : -1));
  const ends = [5, 20, 100].map((span) => Math.abs(Number(smoothed(noisy, span).at(-1))));
  assert.ok(ends[0] < 0.3 && ends[1] < ends[0] && ends[2] < ends[1]);
  const step = smoothed([...Array(50).fill(0), ...Array(50).fill(1)], 20);
  assert.ok(Number(step[55]) > 0.3 && Number(step[99]) > 0.98);
});
