import assert from "node:assert/strict";
import { test } from "node:test";

import { before, closedWhen, errorWords, verdict, withoutHistory } from "../../../static/gates/trial_words.js";

/**
 * @param {Partial<import("../../../static/wire.js").Trial>} [changes]
 * @returns {import("../../../static/wire.js").Trial}
 */
function trial(changes = {}) {
  return { error: null, names: [], closed: [], samples: 1000, missing: [], notes: [], ...changes };
}

test("a dry run is one sentence with its numbers", () => {
  const closed = Array.from({ length: 212 }, (_, i) => 1001 + i);
  assert.equal(verdict(trial({ closed })), "Would have been closed in 212 of the last 1,000 samples (21 %).");
  assert.equal(closedWhen(trial({ closed })), "First at step 1,001, last at step 1,212.");
  assert.equal(verdict(trial()), "Would have been open in all of the last 1,000 samples.");
  assert.equal(verdict(trial({ samples: 1, closed: [4] })), "Would have been closed in 1 of the one sample there is (100 %).");
  assert.equal(closedWhen(trial({ closed: [4] })), "At step 4.");
  const nearly = trial({ samples: 298, closed: Array.from({ length: 297 }, (_, i) => i) });
  assert.equal(verdict(nearly), "Would have been closed in 297 of the last 298 samples (> 99 %).");
});

test("where nothing could be played it says so, and names what is missing", () => {
  assert.match(verdict(trial({ closed: null })), /no history/);
  assert.match(verdict(trial({ samples: 0 })), /no history/);
  assert.equal(withoutHistory(trial({ missing: ["norm", "loss"] })), "No history of norm, loss.");
  assert.equal(withoutHistory(trial()), null);
});

test("an error has its place, counted in characters", () => {
  assert.equal(errorWords({ message: "unknown name nrom", column: 0 }), "unknown name nrom (at character 1)");
  assert.equal(errorWords({ message: "too long\n  norm\n  ^", column: null }), "too long");
  assert.equal(before("😀 > nrom", 4), "😀 > ");
});
