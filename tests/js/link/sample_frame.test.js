import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeSample } from "../../../static/link/sample_frame.js";
import { packSample } from "../support/rows.js";

test("a frame's fields come out as they went in", () => {
  const buffer = packSample({
    states: [1, 4, 6],
    values: { 1: [0.5, NaN, NaN], 129: [0.25, NaN, NaN], 130: [2, NaN, NaN], 2: [0.125, NaN, NaN] },
  });
  const sample = decodeSample(buffer);
  assert.equal(sample.step, 120);
  assert.equal(sample.covers, 3);
  assert.equal(sample.time, 1700000000.5);
  assert.equal(sample.skipped, false);
  assert.deepEqual([...sample.states], [1, 4, 6]);
  assert.deepEqual([...sample.norms], [0.5, NaN, NaN]);
  assert.deepEqual([...sample.lows], [0.25, NaN, NaN]);
  assert.deepEqual([...sample.highs], [2, NaN, NaN]);
  assert.deepEqual([...(sample.maxima ?? [])], [0.125, NaN, NaN]);
});

test("a frame without lowest and highest norms has the norm for both", () => {
  const sample = decodeSample(packSample({ states: [1], values: { 1: [0.5] } }));
  assert.deepEqual([...sample.lows], [0.5]);
  assert.deepEqual([...sample.highs], [0.5]);
  assert.equal(sample.maxima, null);
});

test("movement is in a frame where it was measured", () => {
  const sample = decodeSample(packSample({ states: [1, 1], values: { 1: [1, 1], 3: [0.5, NaN], 4: [2, NaN] } }));
  assert.deepEqual([...(sample.ratios ?? [])], [0.5, NaN]);
  assert.deepEqual([...(sample.weights ?? [])], [2, NaN]);
  assert.equal(decodeSample(packSample({ states: [1], values: { 1: [1] } })).ratios, null);
});

test("an unknown statistic is ignored", () => {
  const sample = decodeSample(packSample({ states: [1], values: { 77: [9], 1: [0.5] } }));
  assert.deepEqual([...sample.norms], [0.5]);
});

test("a frame without norms has none, and no zeros", () => {
  const sample = decodeSample(packSample({ states: [4, 4], values: { 2: [NaN, NaN] } }));
  assert.deepEqual([...sample.norms, ...sample.lows], [NaN, NaN, NaN, NaN]);
});

test("a skipped step says so", () => {
  assert.equal(decodeSample(packSample({ states: [3], values: { 1: [NaN] }, flags: 1 })).skipped, true);
});

test("a frame without parameters is a frame", () => {
  assert.equal(decodeSample(packSample({ states: [], values: { 1: [] } })).states.length, 0);
});

test("a frame of another protocol, length or kind is refused with its value", () => {
  const values = { 1: [1] };
  assert.throws(() => decodeSample(packSample({ states: [1], values, version: 2 })), /protocol 2/);
  assert.throws(() => decodeSample(new ArrayBuffer(12)), /12 bytes/);
  const whole = packSample({ states: [1], values });
  assert.throws(() => decodeSample(whole.slice(0, whole.byteLength - 4)), /wanted 60/);
  const longer = new Uint8Array(whole.byteLength + 4);
  longer.set(new Uint8Array(whole));
  assert.throws(() => decodeSample(longer.buffer), /64 bytes, wanted 60/);
  const other = packSample({ states: [1], values });
  new DataView(other).setUint8(3, 9);
  assert.throws(() => decodeSample(other), /unknown kind of frame: 9/);
  new DataView(other).setUint8(0, 0);
  assert.throws(() => decodeSample(other), /GG/);
});
