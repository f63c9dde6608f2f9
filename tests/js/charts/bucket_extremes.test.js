/** The steps of a bucket's extremes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BucketExtremes, extremesOf } from "../../../static/charts/bucket_extremes.js";
import { trackOf } from "../../../static/charts/track.js";
import { metricRow } from "../support/rows.js";

const SAMPLES = Object.freeze({ steps: [5, 6, 9], values: [2, null, 7] });

test("extremes are at the steps of their samples", () => {
  assert.deepEqual(extremesOf(trackOf(SAMPLES)), { min: { value: 2, steps: [5, 5] }, max: { value: 7, steps: [9, 9] } });
  assert.equal(extremesOf(trackOf({ steps: [5], values: [null] })), null);
});

test("of what is in buckets yet, the steps of the bucket are told", () => {
  const track = { ...trackOf({ steps: [5, 9], values: [3, 4] }), begins: [2, 6], samples: 7 };
  assert.deepEqual(extremesOf(track)?.min.steps, [2, 5]);
  assert.deepEqual(extremesOf(track)?.max.steps, [6, 9]);
});

test("a bucket of a parameter and one of a metric are asked for from end to end, and kept", async () => {
  /** @type {string[]} */
  const asked = [];
  const extremes = new BucketExtremes("/api", async (path) => {
    asked.push(path);
    const series = { ...metricRow(SAMPLES), states: ["present", "present", "present"], samples: 3 };
    return path.includes("/series") ? series : { metrics: { loss: metricRow(SAMPLES) } };
  });
  const steps = /** @type {const} */ ([5, 9]);
  const parameter = { name: "a", stat: /** @type {const} */ ("grad_max"), steps };
  await extremes.fetch(parameter);
  await extremes.fetch({ name: "loss", stat: null, steps });
  assert.deepEqual(asked, [
    "/api/series?stat=grad_max&points=10000&from=5&to=9&parameter=a",
    "/api/metrics?name=loss&from=5&to=9&points=10000",
  ]);
  assert.equal(extremes.get(parameter)?.max.value, 7);
  assert.equal(extremes.get({ name: "a", stat: null, steps }), null);
});
