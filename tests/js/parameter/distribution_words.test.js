import assert from "node:assert/strict";
import { test } from "node:test";

import { barWords, countWords, focusWords, missingWords, normWords, rowWords, uncountedRowWords } from "../../../static/parameter/distribution_words.js";

const EVEN = { numel: 2000, zeros: 0, nan: 0, posinf: 0, neginf: 0, first: 0, negative: [], positive: [], rows: null };
const LOOKING = { status: "live", connected: true, removed: false, problem: "", step: 1200 };

test("what is no ordinary number is told apart", () => {
  assert.equal(countWords(EVEN, 2000), "2,000 numbers: no zeros");
  assert.equal(countWords({ ...EVEN, zeros: 500, nan: 3, posinf: 1, neginf: 1 }, 2000), "2,000 numbers: 25 % zeros, 3 NaN, 2 infinite");
  assert.equal(countWords({ ...EVEN, zeros: 2000 }, 2000), "2,000 numbers: all zeros");
});

test("of a sharded parameter it says which part was counted", () => {
  assert.equal(countWords(EVEN, 8000), "2,000 of 8,000 numbers, the part of rank 0: no zeros");
});

test("a sample says of how many it is", () => {
  const sample = { ...EVEN, sample_of: 4000 };
  assert.equal(countWords(sample, 4000), "2,000 of 4,000 numbers, an even sample: no zeros");
  assert.equal(countWords(sample, 8000), "2,000 of 4,000 of 8,000 numbers, the part of rank 0, an even sample: no zeros");
  assert.equal(countWords({ ...EVEN, sample_of: null }, 2000), "2,000 numbers: no zeros");
});

test("a bar says what it counts", () => {
  const bar = { x: 0, width: 1, height: 1 };
  assert.equal(barWords({ ...bar, sign: 1, from: -1, to: 0, count: 1412 }), "1,412 from 0.500 to 1.00");
  assert.equal(barWords({ ...bar, sign: -1, from: -1, to: 0, count: 2 }), "2 from −0.500 to −1.00");
  assert.equal(barWords({ ...bar, sign: -1, from: null, to: -2, count: 2 }), "2 between 0 and −0.250");
});

test("norms of rows say which rows they are of", () => {
  assert.equal(rowWords({ count: 64, zero: 3, norms: [] }), "Norms of 64 rows: 3 of zeros only");
  assert.equal(rowWords({ count: 64, zero: 0, norms: [] }), "Norms of 64 rows: none of zeros only");
  assert.equal(normWords({ count: 2, zero: 0, norms: [0.5, null] }, 1), "Row 1: not finite");
  assert.equal(normWords({ count: 5, zero: 0, norms: [0.5, 1, 2] }, 2), "Row 4: 2.00");
  assert.equal(normWords({ count: 5, zero: 0, norms: [0.5, 1, 2] }, 1), "Rows 2 to 3, the largest: 1.00");
});

test("a sample has no norms of rows only where the whole has some", () => {
  const sample = { ...EVEN, sample_of: 4000 };
  assert.equal(uncountedRowWords(sample, { numel: 4000, shape: [40, 100] }), "No norms of rows: too large for one step");
  assert.equal(uncountedRowWords(sample, { numel: 4000, shape: [4000] }), "");
  assert.equal(uncountedRowWords(sample, { numel: 8000, shape: [80, 100] }), "");
  assert.equal(uncountedRowWords(EVEN, { numel: 2000, shape: [20, 100] }), "");
  assert.equal(uncountedRowWords(null, { numel: 2000, shape: [20, 100] }), "");
});

test("what is missing has its reason", () => {
  assert.equal(missingWords("gradient", "frozen"), "No gradient: it is frozen.");
  assert.equal(missingWords("gradient", "absent"), "No gradient came in that step.");
  assert.equal(missingWords("weight", "present"), "Its numbers cannot be read.");
});

test("what is shown says of when it is, and why there is nothing newer", () => {
  assert.equal(focusWords(LOOKING), "Step 1,200, while you look.");
  assert.equal(focusWords({ ...LOOKING, stale: true }), "Step 1,200, while you look. Its gradient is left from an earlier step.");
  assert.match(focusWords({ ...LOOKING, status: "finished", stale: true }), /^Step 1,200\. Its gradient is left from an earlier step\. The run/);
  assert.match(focusWords({ ...LOOKING, step: null }), /asked to look/);
  assert.match(focusWords({ ...LOOKING, status: "finished" }), /^Step 1,200\. The run has finished/);
  assert.match(focusWords({ ...LOOKING, status: "failed" }), /^Step 1,200\. The run has failed/);
  assert.match(focusWords({ ...LOOKING, status: "lost", step: null }), /^The job is lost/);
  assert.match(focusWords({ ...LOOKING, connected: false }), /No connection/);
  assert.match(focusWords({ ...LOOKING, problem: "16 parameters are looked at." }), /16 parameters/);
  assert.match(focusWords({ ...LOOKING, removed: true }), /no longer/);
});
