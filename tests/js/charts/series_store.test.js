import assert from "node:assert/strict";
import { test } from "node:test";

import { seriesQuery, SeriesStore } from "../../../static/charts/series_store.js";

/**
 * A series as the server sends it.
 * @param {string} parameter
 * @param {number[]} steps
 */
function series(parameter, steps) {
  return { parameter, stat: "grad_norm", first_steps: steps, steps, values: steps, min: steps, max: steps, states: steps.map(() => "present"), samples: steps.length };
}

/**
 * A store whose server gives these answers, one after another.
 * @param {...object} answers
 */
function store(...answers) {
  /** @type {string[]} */
  const asked = [];
  const made = new SeriesStore("/api/runs/a", async (path) => {
    asked.push(path);
    return answers.shift();
  });
  return { store: made, asked };
}

test("a series is fetched whole once, then from its last step on", async () => {
  const { store: known, asked } = store(series("a", [1, 2]), series("a", [3]));
  assert.deepEqual(known.missing(["a"], 100, 2), new Map([[null, ["a"]]]));
  await known.fetch(["a"], known.missing(["a"], 100, 2), 100, 2);
  assert.equal(asked[0], "/api/runs/a/series?stat=grad_norm&points=100&parameter=a");
  assert.equal(known.missing(["a"], 100, 2).size, 0);
  assert.deepEqual(known.missing(["a"], 100, 3), new Map([[3, ["a"]]]));
  await known.fetch(["a"], known.missing(["a"], 100, 3), 100, 3);
  assert.deepEqual(known.byName.get("a")?.steps, [1, 2, 3]);
  assert.equal(known.byName.get("a")?.samples, 3);
});

test("a series of a job that was resumed at an earlier step is fetched whole", async () => {
  const { store: known } = store(series("a", [1, 2, 3]), series("a", [1, 2, 3, 2]));
  await known.fetch(["a"], known.missing(["a"], 100, 3), 100, 3);
  const missing = known.missing(["a"], 100, 2);
  assert.deepEqual(missing, new Map([[null, ["a"]]]));
  await known.fetch(["a"], missing, 100, 2);
  assert.equal(known.missing(["a"], 100, 2).size, 0);
});

test("several that begin at the same step are one request, and what is not selected is forgotten", async () => {
  const { store: known, asked } = store({ series: [series("a", [1]), series("b", [1])] }, series("b", [2]));
  await known.fetch(["a", "b"], known.missing(["a", "b"], 100, 1), 100, 1);
  assert.equal(asked.length, 1);
  await known.fetch(["b"], known.missing(["b"], 100, 2), 100, 2);
  assert.deepEqual([...known.byName.keys()], ["b"]);
});

test("what may have missed something is fetched whole, and takes the older one's place", async () => {
  const { store: known } = store(series("a", [1, 2]), series("a", [1, 2, 3]));
  await known.fetch(["a"], known.missing(["a"], 100, 2), 100, 2);
  known.refresh();
  const missing = known.missing(["a"], 100, 2);
  assert.deepEqual(missing, new Map([[null, ["a"]]]));
  await known.fetch(["a"], missing, 100, 3);
  assert.deepEqual(known.byName.get("a")?.steps, [1, 2, 3]);
  assert.equal(known.missing(["a"], 100, 3).size, 0);
});

test("a track of four times the points that there is room for is fetched anew", async () => {
  const { store: known } = store(series("a", [1, 2, 3, 4, 5, 6, 7, 8]));
  await known.fetch(["a"], known.missing(["a"], 2, 8), 2, 8);
  assert.deepEqual(known.missing(["a"], 2, 9), new Map([[9, ["a"]]]));
  assert.deepEqual(known.missing(["a"], 1, 9), new Map([[null, ["a"]]]));
});

test("a series that there is not is an error, and its neighbours are kept", async () => {
  const { store: known } = store({ series: [{ parameter: "gone", error: "no parameter gone" }, series("a", [1])] });
  await assert.rejects(known.fetch(["gone", "a"], known.missing(["gone", "a"], 100, 1), 100, 1), { message: "no parameter gone" });
  assert.deepEqual([...known.byName.keys()], ["a"]);
});

test("a query names its statistic, its room, where it begins and where it ends", () => {
  assert.equal(seriesQuery(["a", "b&c"], 50, 7), "stat=grad_norm&points=50&from=7&parameter=a&parameter=b%26c");
  assert.equal(seriesQuery(["a"], 50, 7, { to: 9, stat: "grad_max" }), "stat=grad_max&points=50&from=7&to=9&parameter=a");
});

test("another statistic is fetched anew, and an answer that comes too late is dropped", async () => {
  const { store: known, asked } = store(series("a", [1, 2]), series("a", [1, 2]));
  await known.fetch(["a"], known.missing(["a"], 100, 2), 100, 2);
  known.choose("update_ratio");
  assert.equal(known.byName.size, 0);
  const coming = known.fetch(["a"], known.missing(["a"], 100, 2), 100, 2);
  assert.equal(asked[1], "/api/runs/a/series?stat=update_ratio&points=100&parameter=a");
  known.choose("weight_norm");
  await coming;
  assert.equal(known.byName.size, 0);
});

test("a range is asked for from end to end, again for other steps, and as it grows up to its end", async () => {
  const { store: known, asked } = store(series("a", [5, 6]), series("a", [7]), series("a", [1, 2]));
  known.choose("grad_norm", [5, 8]);
  await known.fetch(["a"], known.missing(["a"], 100, 6), 100, 6);
  assert.equal(known.missing(["a"], 100, 6).size, 0);
  await known.fetch(["a"], known.missing(["a"], 100, 9), 100, 9);
  assert.equal(known.missing(["a"], 100, 20).size, 0);
  assert.deepEqual(known.byName.get("a")?.steps, [5, 6, 7]);
  known.choose("grad_norm", [1, 2]);
  assert.deepEqual(known.byName.get("a")?.range, [5, 8]);
  await known.fetch(["a"], known.missing(["a"], 100, 20), 100, 20);
  assert.deepEqual(known.byName.get("a")?.steps, [1, 2]);
  assert.deepEqual(asked.map((path) => path.match(/from=.*&to=\d+/)?.[0]), ["from=5&to=8", "from=7&to=8", "from=1&to=2"]);
});

test("an answer of steps that are wanted no more is kept until others come", async () => {
  const { store: known } = store(series("a", [5, 6]));
  known.choose("grad_norm", [5, 6]);
  const coming = known.fetch(["a"], known.missing(["a"], 100, 9), 100, 9);
  known.choose("grad_norm", [1, 2]);
  await coming;
  assert.deepEqual(known.byName.get("a")?.range, [5, 6]);
  assert.deepEqual(known.missing(["a"], 100, 9), new Map([[null, ["a"]]]));
});

test("steps without a sample are asked for once", async () => {
  const { store: known } = store(series("a", []));
  known.choose("grad_norm", [5, 6]);
  await known.fetch(["a"], known.missing(["a"], 100, 9), 100, 9);
  assert.equal(known.missing(["a"], 100, 12).size, 0);
});
