import assert from "node:assert/strict";
import { test } from "node:test";

import { CALM, countStates, SEVERITY, stateCode, stateOf, STATES, TROUBLES } from "../../../static/model/states.js";

test("states have the protocol's codes", () => {
  assert.deepEqual(
    STATES.map(({ name }) => name),
    ["unmeasured", "present", "zero", "nonfinite", "absent", "stale", "frozen", "gated"],
  );
  assert.equal(stateCode("stale"), 5);
  assert.throws(() => stateCode(/** @type {any} */ ("odd")), /unknown state: odd/);
});

test("every state has a mark of its own in the tree and in the chart", () => {
  const glyphs = new Set(STATES.map(({ path, filled }) => `${path}${filled}`));
  assert.equal(glyphs.size, STATES.length);
  assert.equal(new Set(STATES.map(({ symbol }) => symbol)).size, STATES.length);
});

test("a code from a newer protocol counts as unmeasured", () => {
  assert.equal(stateOf(99).name, "unmeasured");
  assert.equal(countStates(Uint8Array.from([99, 1, 1])).get("unmeasured"), 1);
});

test("troubles are the worst first, and what somebody wanted is none", () => {
  assert.deepEqual(SEVERITY, ["nonfinite", "zero", "absent", "stale", "gated", "frozen", "present", "unmeasured"]);
  assert.deepEqual(TROUBLES, ["nonfinite", "zero", "absent", "stale"]);
  assert.deepEqual(CALM, ["frozen", "gated"]);
});

test("states are counted, those that do not occur too", () => {
  const counts = countStates(Uint8Array.from([4, 1, 4]));
  assert.deepEqual([counts.get("absent"), counts.get("present"), counts.get("zero")], [2, 1, 0]);
});
