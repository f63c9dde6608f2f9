import assert from "node:assert/strict";
import { test } from "node:test";

import { trackOf } from "../../../static/charts/track.js";
import { bandsAround, bandsWithin, closedBands, gateMetric } from "../../../static/charts/closed_bands.js";

test("what the job logs of its gates is told from the user's metrics", () => {
  assert.deepEqual(gateMetric("gate 12 closed"), { gate: 12, figure: "closed" });
  assert.deepEqual(gateMetric("gate 12 norm"), { gate: 12, figure: "norm" });
  for (const name of ["gate closed", "gate 1 closed!", "my gate 1 norm"]) assert.equal(gateMetric(name), null);
});

test("a band reaches half way to the samples beside it", () => {
  const metric = { ...trackOf({ steps: [10, 20, 30, 40, 50], values: [] }), max: [0, 1, 1, null, 1] };
  assert.deepEqual(closedBands(3, metric), [{ gate: 3, from: 15, to: 35 }, { gate: 3, from: 45, to: 55 }]);
  assert.deepEqual(closedBands(3, { begins: [7], steps: [7], max: [1] }), [{ gate: 3, from: 6.5, to: 7.5 }]);
});

test("a band has all of a bucket, the first too, and nothing of a gap", () => {
  const buckets = { begins: [1, 11, 21], steps: [10, 20, 30], max: [1, 0, 1] };
  assert.deepEqual(closedBands(3, buckets), [{ gate: 3, from: 0.5, to: 10.5 }, { gate: 3, from: 20.5, to: 30.5 }]);
  const gap = { ...trackOf({ steps: [1, 2, 3, 900, 901], values: [] }), max: [0, 0, 1, 1, 0] };
  assert.deepEqual(closedBands(3, gap), [{ gate: 3, from: 2.5, to: 3.5 }, { gate: 3, from: 899.5, to: 900.5 }]);
});

test("steps that follow each other are one band", () => {
  assert.deepEqual(bandsAround(0, [2, 4, 10], 2), [{ gate: 0, from: 1, to: 5 }, { gate: 0, from: 9, to: 11 }]);
});

test("bands are cut to the chart, and gaps too narrow to be seen are closed", () => {
  const bands = [[0, 5], [6, 7], [9, 12], [30, 40]].map(([from, to]) => ({ gate: 1, from, to }));
  assert.deepEqual(bandsWithin(bands, [2, 11], 1.5), [{ gate: 1, from: 2, to: 7 }, { gate: 1, from: 9, to: 11 }]);
});
