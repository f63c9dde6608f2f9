import assert from "node:assert/strict";
import { test } from "node:test";

import { sampleDistance, subjectOf, thresholdsOf, trialRange } from "../../../static/gates/trial_history.js";

/**
 * @param {Partial<import("../../../static/wire.js").Trial>} [changes]
 * @returns {import("../../../static/wire.js").Trial}
 */
function trial(changes = {}) {
  return { error: null, names: [], closed: [], samples: 1000, missing: [], notes: [], ...changes };
}

test("a parameter's gate is drawn over its norm, another over what it names", () => {
  const measured = [{ id: 3, site: "output:b" }];
  const subject = (/** @type {string} */ site, /** @type {string} */ when) =>
    subjectOf({ site, when }, ["loss", "val/acc"], measured);
  assert.deepEqual(subject("param:w", "loss > 1"), { kind: "parameter", name: "w" });
  assert.deepEqual(subject("output:a", "norm > 1 and val_acc < 0.5"), { kind: "metric", name: "val/acc" });
  assert.equal(subject("output:a", "norm > 1"), null);
  assert.deepEqual(subject("output:b", "norm_avg > 1 and loss > 1"), { kind: "gate", gate: 3 });
  assert.deepEqual(subject("output:b", "loss > 1 and norm > 1"), { kind: "metric", name: "loss" });
});

test("the history begins where the dry run did", () => {
  assert.deepEqual(trialRange(trial({ closed: [900], first: 3, last: 950 }), 1000, 1), [3, 950]);
  assert.deepEqual(trialRange(trial({ closed: [900] }), 1000, 1), [1, 1000]);
  assert.deepEqual(trialRange(trial({ samples: 10, closed: [900] }), 1000, 2), [900, 1000]);
  assert.deepEqual(trialRange(trial({ samples: 10, closed: [] }), 1000, 2), [982, 1000]);
  assert.equal(sampleDistance([1, 5, 8], [3]), 3);
  assert.equal(sampleDistance([7], []), 1);
});

test("a threshold is a number with which the condition compares the very name", () => {
  assert.deepEqual(thresholdsOf("norm > 10", "norm"), [10]);
  assert.deepEqual(thresholdsOf("step > 5 and (1e-3 < norm <= .5 or not loss == 2)", "norm"), [0.001, 0.5]);
  assert.deepEqual(thresholdsOf("norm > 10 * norm_avg or 2 * norm > 3 or norm_avg > 4", "norm"), []);
  assert.deepEqual(thresholdsOf("norm > 2 and norm < 2", "norm"), [2]);
});
