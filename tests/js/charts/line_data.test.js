import assert from "node:assert/strict";
import { test } from "node:test";

import { LineData } from "../../../static/charts/line_data.js";
import { readView } from "../../../static/model/view_url.js";

const METRICS = readView("?tab=metrics");
const SERIES = readView("?selected=a");

/**
 * Data whose server answers as it is told, at a time that the test sets.
 * @param {import("node:test").TestContext} context
 * @param {(path: string) => unknown} answer
 */
function data(context, answer) {
  const clock = { now: 10_000 };
  /** @type {string[]} */
  const asked = [];
  let changes = 0;
  context.mock.method(performance, "now", () => clock.now);
  context.mock.method(globalThis, "fetch", async (/** @type {string} */ path) => {
    asked.push(path.split("?")[0]);
    return Response.json(await answer(path));
  });
  /** @type {string[]} */
  const failures = [];
  const guard = async (/** @type {() => Promise<void>} */ request) => {
    await request().catch((error) => failures.push(error.message));
  };
  return { made: new LineData("/api", guard, () => (changes += 1)), clock, asked, failures, changes: () => changes };
}

/** @param {string} path */
function answers(path) {
  if (path.startsWith("/api/metrics")) return { metrics: { loss: { steps: [1], values: [2], min: [2], max: [2], count: [1] } } };
  return { parameter: "a", steps: [1], values: [1], min: [1], max: [1], samples: 1 };
}

test("metrics are fetched once, and grow by what is told", async (context) => {
  const { made, clock, asked, changes } = data(context, answers);
  await made.fetchMissing(METRICS, 100, 1);
  made.addMetrics([{ step: 2, values: { loss: 1 } }], true);
  clock.now += 5000;
  await made.fetchMissing(METRICS, 100, 2);
  assert.deepEqual(asked, ["/api/metrics"]);
  assert.deepEqual(made.metrics.byName.get("loss")?.values, [2, 1]);
  assert.equal(changes(), 1);
  assert.equal(made.version, 2);
});

test("where some of it was left out they are fetched anew", async (context) => {
  const { made, clock, asked } = data(context, answers);
  await made.fetchMissing(METRICS, 100, 1);
  made.addMetrics([], false);
  clock.now += 900;
  await made.fetchMissing(METRICS, 100, 1);
  assert.deepEqual(asked, ["/api/metrics", "/api/metrics"]);
});

test("what came while they were fetched is behind them", async (context) => {
  const { made } = data(context, (path) => {
    made.addMetrics([{ step: 5, values: { loss: 0 } }], true);
    return answers(path);
  });
  await made.fetchMissing(METRICS, 100, 1);
  assert.deepEqual(made.metrics.byName.get("loss")?.steps, [1, 5]);
});

test("series are asked for at most about once a second, and at once after a choice by hand", async (context) => {
  const { made, clock, asked } = data(context, answers);
  await made.fetchMissing(SERIES, 100, 1);
  assert.deepEqual(asked, ["/api/series", "/api/metrics"]);
  clock.now += 899;
  await made.fetchMissing(SERIES, 100, 2);
  assert.equal(asked.length, 2);
  clock.now += 1;
  await made.fetchMissing(SERIES, 100, 2);
  assert.equal(asked.length, 3);
  made.hurry();
  await made.fetchMissing(SERIES, 100, 3);
  assert.equal(asked.length, 4);
});

test("one request at a time is under way", async (context) => {
  const { made, asked } = data(context, answers);
  const first = made.fetchMissing(SERIES, 100, 1);
  made.hurry();
  await made.fetchMissing(SERIES, 100, 2);
  await first;
  assert.deepEqual(asked, ["/api/series", "/api/metrics"]);
});

test("after a lost connection everything is fetched whole again", async (context) => {
  const { made, asked } = data(context, answers);
  await made.fetchMissing(SERIES, 100, 1);
  made.refresh();
  await made.fetchMissing(SERIES, 100, 1);
  assert.deepEqual(asked, ["/api/series", "/api/metrics", "/api/series", "/api/metrics"]);
});

test("what failed is tried again later", async (context) => {
  let up = false;
  const { made, clock, asked, failures } = data(context, (path) => {
    if (up) return answers(path);
    throw new Error("down");
  });
  await made.fetchMissing(METRICS, 100, 1);
  assert.deepEqual(failures, ["The server cannot be reached"]);
  up = true;
  clock.now += 900;
  await made.fetchMissing(METRICS, 100, 1);
  assert.equal(asked.length, 2);
  assert.deepEqual(made.metrics.names, ["loss"]);
});

test("nothing is asked for where nothing is missing", async (context) => {
  const { made, clock, asked, changes } = data(context, answers);
  await made.fetchMissing(METRICS, 100, 1);
  clock.now += 5000;
  await made.fetchMissing(METRICS, 100, 1);
  assert.deepEqual([asked.length, changes()], [1, 1]);
});
