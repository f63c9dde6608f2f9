import assert from "node:assert/strict";
import { test } from "node:test";

import { LineData } from "../../../static/charts/line_data.js";
import { metricRow } from "../support/rows.js";
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
  /** @type {string[]} with their queries */
  const queries = [];
  let changes = 0;
  context.mock.method(performance, "now", () => clock.now);
  context.mock.method(globalThis, "fetch", async (/** @type {string} */ path) => {
    asked.push(path.split("?")[0]);
    queries.push(path);
    return Response.json(await answer(path));
  });
  /** @type {string[]} */
  const failures = [];
  const guard = async (/** @type {() => Promise<void>} */ request) => {
    await request().catch((error) => failures.push(error.message));
  };
  return { made: new LineData("/api", guard, () => (changes += 1)), clock, asked, queries, failures, changes: () => changes };
}

/** @param {string} path */
function answers(path) {
  if (path.startsWith("/api/metrics")) return { metrics: { loss: metricRow({ steps: [1], values: [2] }) } };
  return { parameter: "a", first_steps: [1], steps: [1], values: [1], min: [1], max: [1], states: ["present"], samples: 1 };
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

test("they are fetched anew where a job that was resumed logs earlier steps", async (context) => {
  const { made, clock, asked } = data(context, answers);
  await made.fetchMissing(METRICS, 100, 1);
  for (const step of [50, 48, 49, 51, 30, 31, 32]) made.addMetrics([{ step, values: { loss: 1 } }], true);
  clock.now += 900;
  await made.fetchMissing(METRICS, 100, 32);
  assert.equal(asked.length, 1);
  made.addMetrics([{ step: 33, values: { loss: 1 } }], true);
  await made.fetchMissing(METRICS, 100, 33);
  assert.deepEqual(asked, ["/api/metrics", "/api/metrics"]);
});

test("the steps of all lines are known once they have come", async (context) => {
  const { made } = data(context, () => ({ metrics: { loss: metricRow({ steps: [900, 901], values: [2, 1] }) } }));
  assert.equal(made.steps, null);
  await made.fetchMissing(METRICS, 100, 1);
  made.addMetrics([{ step: 950, values: { loss: 1 } }], true);
  assert.deepEqual(made.steps, [900, 950]);
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

test("a range is asked for at once when it is chosen, finer, and until it has come the whole run's is shown", async (context) => {
  const { made, queries } = data(context, answers);
  const [whole, range] = [SERIES, readView("?selected=a&from=1&to=9")];
  await made.fetchMissing(whole, 100, 50);
  assert.deepEqual([made.shown(range).series.get("a")?.samples, made.shown(range).coarse], [1, true]);
  made.hurry();
  await made.fetchMissing(range, 100, 50);
  assert.match(queries[2], /series\?stat=grad_norm&points=100&from=1&to=9&parameter=a/);
  assert.equal(queries.length, 3);
  assert.equal(made.shown(range).coarse, false);
  assert.equal(made.shown(readView("?selected=a&from=2&to=3")).coarse, true);
  assert.equal(made.shown(readView("?selected=a&from=2&to=3")).series.get("a"), made.rangeSeries.byName.get("a"));
  assert.equal(made.shown(readView("?selected=a&from=5&to=20")).series.get("a"), made.series.byName.get("a"));
  made.hurry();
  await made.fetchMissing(whole, 100, 50);
  assert.equal(queries.length, 3);
});

test("metrics of a range are those that are shown, and grow within it", async (context) => {
  const { made, clock, queries } = data(context, answers);
  const view = readView("?tab=metrics&from=1&to=5");
  await made.fetchMissing(view, 100, 4);
  assert.match(queries[1], /metrics\?from=1&to=5&points=1000&name=loss/);
  made.addMetrics([{ step: 5, values: { loss: 3 } }, { step: 6, values: { loss: 4 } }], true);
  assert.deepEqual(made.shown(view).near.track("loss")?.steps, [1, 5]);
  clock.now += 5000;
  await made.fetchMissing(view, 100, 6);
  assert.equal(queries.length, 2);
  made.addMetrics([], false);
  await made.fetchMissing(view, 100, 6);
  assert.equal(queries.length, 4);
});

test("nothing is asked for of steps that are behind the last, and it is no failure", async (context) => {
  const { made, queries, failures } = data(context, answers);
  const view = readView("?tab=metrics&from=70&to=90");
  await made.fetchMissing(view, 100, 4);
  assert.deepEqual([queries.length, failures, made.shown(view).coarse], [1, [], false]);
  made.addMetrics([{ step: 80, values: { loss: 3 } }], true);
  assert.deepEqual(made.shown(view).near.track("loss")?.values, [3]);
});

test("a server that is away in mid-zoom leaves the whole run's lines, and is asked again", async (context) => {
  let up = true;
  const { made, clock, queries, failures } = data(context, (path) => {
    if (up) return answers(path);
    throw new Error("down");
  });
  const view = readView("?selected=a&from=1&to=9");
  await made.fetchMissing(SERIES, 100, 50);
  up = false;
  made.hurry();
  await made.fetchMissing(view, 100, 50);
  assert.deepEqual(failures, ["The server cannot be reached"]);
  assert.deepEqual([made.shown(view).series.size, made.shown(view).coarse], [1, true]);
  up = true;
  clock.now += 900;
  await made.fetchMissing(view, 100, 50);
  assert.deepEqual([made.shown(view).coarse, queries.length], [false, 4]);
});

test("while a statistic is asked for, nothing of the one before is shown under its name", async (context) => {
  const { made } = data(context, answers);
  await made.fetchMissing(SERIES, 100, 1);
  assert.equal(made.shown(SERIES).series.size, 1);
  for (const query of ["?selected=a&stat=weight_norm", "?selected=a&stat=weight_norm&from=1&to=1"]) {
    assert.equal(made.shown(readView(query)).series.size, 0);
  }
});
