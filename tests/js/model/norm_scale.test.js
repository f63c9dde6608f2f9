import assert from "node:assert/strict";
import { test } from "node:test";

import { COLORSCALE, decadeDomain, domainShare, isPlottable, rampColor } from "../../../static/model/norm_scale.js";

test("only finite positive norms have a place", () => {
  assert.deepEqual([1, 0, -1, NaN, Infinity, null, undefined].map(isPlottable), [
    true,
    false,
    false,
    false,
    false,
    false,
    false,
  ]);
});

test("a domain is whole decades around the norms, two at least", () => {
  assert.deepEqual(decadeDomain([0.02, 3], null), [-2, 1]);
  const [low, high] = decadeDomain([0.02, 0.03], null);
  assert.ok(low <= -2 && high >= -1 && high - low === 2);
});

test("values without a place do not move the domain", () => {
  assert.deepEqual(decadeDomain([0, NaN, Infinity, 0.02, 3], null), [-2, 1]);
  assert.deepEqual(decadeDomain([NaN], [-3, 1]), [-3, 1]);
});

test("the domain is still while values wander inside it", () => {
  const before = decadeDomain([0.002, 3], null);
  assert.equal(decadeDomain([0.02, 2], before), before);
});

test("the domain grows for a new value and shrinks when two decades are wasted", () => {
  assert.deepEqual(decadeDomain([0.02, 300], [-2, 1]), [-2, 3]);
  assert.deepEqual(decadeDomain([0.02, 3], [-6, 1]), [-2, 1]);
});

test("one outlier of a hundred does not stretch the ramp, unless asked to", () => {
  const norms = [...Array(150).fill(0.5), 1e30];
  assert.deepEqual(decadeDomain(norms, null)[1] < 3, true);
  assert.equal(decadeDomain(norms, null, 0)[1], 30);
});

test("places run from 0 to 1 along the domain", () => {
  assert.equal(domainShare(0.01, [-2, 0]), 0);
  assert.equal(domainShare(0.1, [-2, 0]), 0.5);
});

test("the ramp is cividis, from dark blue to yellow, and clamps", () => {
  assert.equal(rampColor(-1), "rgb(0,32,76)");
  assert.equal(rampColor(2), "rgb(243,227,55)");
  assert.equal(COLORSCALE[0][0], 0);
  assert.equal(COLORSCALE[COLORSCALE.length - 1][0], 1);
});

test("the domain shrinks when two decades are wasted at either end, and not before", () => {
  assert.deepEqual(decadeDomain([1e-6, 1e-2], [-6, 0]), [-6, -2]);
  assert.deepEqual(decadeDomain([1e-6, 1e-1], [-6, 0]), [-6, 0]);
  assert.deepEqual(decadeDomain([1e-4, 1], [-6, 0]), [-4, 0]);
});
