import assert from "node:assert/strict";
import { test } from "node:test";

import { gateCount, normsWords, shareWords } from "../../../static/gates/gate_figures.js";
import { gateRow } from "../support/rows.js";

test("what a gate has done is said with its numbers", () => {
  assert.equal(shareWords({ steps: 1000, closed_steps: 212 }), "closed 21 % of 1,000 steps");
  assert.equal(shareWords({ steps: 0, closed_steps: 0 }), "not reached yet");
  assert.equal(normsWords({ norm_in: 12.34, norm_out: 0 }), "12.3 → 0");
  assert.equal(normsWords({ norm_in: 12.34, norm_out: null }), "12.3 → –");
  assert.equal(normsWords({ norm_in: null, norm_out: null }), "not measured");
});

test("a count of gates says how many are closed or have a problem", () => {
  assert.equal(gateCount([gateRow(1), gateRow(2, { paused: true, closed: true })]), "2");
  assert.equal(gateCount([gateRow(3, { closed: true, problem: "no loss" })]), "1, 1 closed, 1 problem");
});
