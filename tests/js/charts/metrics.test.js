import assert from "node:assert/strict";
import { test } from "node:test";

import { Metrics, METRIC_POINTS } from "../../../static/charts/metrics.js";
import { metricRow } from "../support/rows.js";

/** The answer of the server on metrics of single points. @param {string} json steps and values */
function rows(json) {
  const answer = JSON.parse(json);
  return Object.fromEntries(Object.entries(answer).map(([name, row]) => [name, metricRow(row)]));
}

/** @param {number} step @param {string} json values as they come over the wire */
function point(step, json) {
  return { step, values: JSON.parse(json) };
}

test("every point of a message is kept, and none twice", () => {
  const metrics = new Metrics();
  metrics.add([point(1, '{"loss": 1}'), point(2, '{"loss": 900}'), point(3, '{"loss": 2}')]);
  metrics.add([point(3, '{"loss": 2}'), point(4, '{"loss": null}')]);
  const values = [1, 900, 2, null];
  assert.deepEqual(metrics.byName.get("loss"), { begins: [1, 2, 3, 4], steps: [1, 2, 3, 4], values, min: values, max: values, nonfinite: ["", "", "", "NaN"], states: ["", "", "", ""], samples: 4 });
});

test("a metric may be called as JavaScript's own things are", () => {
  const names = ["constructor", "toString", "__proto__", "hasOwnProperty"];
  const metrics = new Metrics();
  metrics.replace(rows('{"__proto__": {"steps": [1], "values": [5]}}'), []);
  for (const name of names) metrics.add([point(2, `{"${name}": 7}`)]);
  assert.deepEqual(metrics.names, ["__proto__", "constructor", "toString", "hasOwnProperty"]);
  for (const name of names) assert.equal(metrics.byName.get(name)?.values.at(-1), 7);
  assert.deepEqual(metrics.shown(["toString"]), ["toString"]);
});

test("what came while the points were fetched is behind them", () => {
  const metrics = new Metrics();
  metrics.replace(rows('{"loss": {"steps": [1, 2], "values": [1, 2]}}'), [point(2, '{"loss": 2}'), point(3, '{"loss": 3}')]);
  assert.deepEqual(metrics.byName.get("loss")?.steps, [1, 2, 3]);
});

test("the memory is bounded, and no spike is lost", () => {
  const metrics = new Metrics();
  for (let step = 1; step <= 20_000; step += 1) metrics.add([{ step, values: { loss: step === 77 ? -900 : step } }]);
  const { steps, min, samples } = metrics.byName.get("loss") ?? { steps: [], min: [], samples: 0 };
  assert.ok(steps.length <= 4 * METRIC_POINTS);
  assert.deepEqual([steps.at(-1), samples, Math.min(...min.map(Number))], [20_000, 20_000, -900]);
});

test("a bucket is drawn with all that it stands for", () => {
  const metrics = new Metrics();
  metrics.replace({ loss: { ...metricRow({ steps: [10], values: [1] }), first_steps: [1], min: [0], max: [9], count: [10], posinf: [2], nan: [1] } }, [point(11, '{"loss": 2}')]);
  assert.deepEqual(metrics.byName.get("loss"), { begins: [1, 11], steps: [10, 11], values: [1, 2], min: [0, 2], max: [9, 2], nonfinite: ["NaN, ∞", ""], states: ["", ""], samples: 11 });
});

test("the loss is shown first, else what was logged first, else what Gradgate measures", () => {
  const metrics = new Metrics();
  metrics.add([point(1, '{"gradgate/total_grad_norm": 1}')]);
  assert.deepEqual(metrics.shown([]), ["gradgate/total_grad_norm"]);
  metrics.add([point(1, '{"accuracy": 1}')]);
  assert.deepEqual(metrics.shown([]), ["accuracy"]);
  metrics.add([point(2, '{"loss": 1}')]);
  assert.deepEqual(metrics.shown(["gone"]), ["loss"]);
});

test("whether a gate was closed is a band and no metric", () => {
  const metrics = new Metrics();
  metrics.add([point(1, '{"loss": 1, "gate 2 closed": 0}')]);
  metrics.replace(rows('{"gate 2 closed": {"steps": [1, 2], "values": [0, 1]}, "gate x closed": {"steps": [1], "values": [1]}}'), []);
  metrics.add([point(3, '{"gate 2 closed": 1}'), point(4, '{"gate 2 closed": 0}')]);
  assert.deepEqual(metrics.names, ["gate x closed"]);
  assert.deepEqual(metrics.bands([1, 4], 0.01), [{ gate: 2, from: 1.5, to: 3.5 }]);
});

test("the norms that came to a gate are kept for dry runs", () => {
  const metrics = new Metrics();
  metrics.replace(rows('{"gate 2 norm": {"steps": [1], "values": [3]}, "loss": {"steps": [1], "values": [1]}}'), []);
  metrics.add([point(2, '{"gate 2 norm": 4}')]);
  assert.deepEqual(metrics.names, ["loss"]);
  assert.deepEqual(metrics.norms.get(2)?.values, [3, 4]);
});

test("what is fetched anew takes the place of all that was known, of gates too", () => {
  const metrics = new Metrics();
  metrics.add([point(1, '{"loss": 1, "gate 3 norm": 2, "gate 3 closed": 1}')]);
  const before = metrics.version;
  metrics.replace({}, []);
  assert.deepEqual([metrics.names, metrics.norms.size, metrics.closed.size], [[], 0, 0]);
  assert.notEqual(metrics.version, before);
});

test("Gradgate's own metrics are named behind the job's", () => {
  const metrics = new Metrics();
  metrics.add([point(1, '{"gradgate/total_grad_norm": 2, "loss": 1, "accuracy": 0}')]);
  assert.deepEqual(metrics.names, ["loss", "accuracy", "gradgate/total_grad_norm"]);
});

test("a value that is not finite is told by its name", () => {
  const metrics = new Metrics();
  metrics.add([{ step: 1, values: { loss: null, constructor: null }, nonfinite: { loss: "-inf" } }]);
  assert.deepEqual([metrics.track("loss")?.nonfinite, metrics.track("constructor")?.nonfinite], [["−∞"], ["NaN"]]);
});
