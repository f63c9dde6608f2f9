import assert from "node:assert/strict";
import { test } from "node:test";

import { bandsAround, bandsWithin, closedBands, gateMetric } from "../../../static/charts/closed_bands.js";
import { sampleDistance, subjectOf, trialStart } from "../../../static/gates/trial_history.js";
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

test("what the job logs of its gates is told from the user's metrics", () => {
  assert.deepEqual(gateMetric("gate 12 closed"), { gate: 12, figure: "closed" });
  assert.deepEqual(gateMetric("gate 12 norm"), { gate: 12, figure: "norm" });
  for (const name of ["gate closed", "gate 1 closed!", "my gate 1 norm"]) assert.equal(gateMetric(name), null);
});

test("a band reaches half way to the samples beside it", () => {
  const metric = { steps: [10, 20, 30, 40, 50], values: [0, 1, 1, null, 1] };
  assert.deepEqual(closedBands(3, metric), [{ gate: 3, from: 15, to: 35 }, { gate: 3, from: 45, to: 50.5 }]);
  assert.deepEqual(closedBands(3, { steps: [7], values: [1] }), [{ gate: 3, from: 6.5, to: 7.5 }]);
});

test("steps that follow each other are one band", () => {
  assert.deepEqual(bandsAround(0, [2, 4, 10], 2), [{ gate: 0, from: 1, to: 5 }, { gate: 0, from: 9, to: 11 }]);
});

test("bands are cut to the chart, and gaps too narrow to be seen are closed", () => {
  const bands = [[0, 5], [6, 7], [9, 12], [30, 40]].map(([from, to]) => ({ gate: 1, from, to }));
  assert.deepEqual(bandsWithin(bands, [2, 11], 1.5), [{ gate: 1, from: 2, to: 7 }, { gate: 1, from: 9, to: 11 }]);
});
