import assert from "node:assert/strict";
import { test } from "node:test";

import { countStates, stateCode, stateOf, STATES } from "../../../static/model/states.js";

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
