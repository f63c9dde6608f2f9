import assert from "node:assert/strict";
import { test } from "node:test";

import { sampleDistance, subjectOf, trialStart } from "../../../static/gates/trial_history.js";

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
  assert.equal(trialStart(trial({ closed: [900] }), 1000, 1), 1);
  assert.equal(trialStart(trial({ samples: 10, closed: [900] }), 1000, 2), 900);
  assert.equal(trialStart(trial({ samples: 10, closed: [] }), 1000, 2), 982);
  assert.equal(sampleDistance([1, 5, 8], [3]), 3);
  assert.equal(sampleDistance([7], []), 1);
});
