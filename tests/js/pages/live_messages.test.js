import assert from "node:assert/strict";
import { test } from "node:test";

import { Focus } from "../../../static/model/focus.js";
import { receive } from "../../../static/pages/live_messages.js";

/** A page that writes down what it is told. */
function page() {
  /** @type {unknown[]} */
  const told = [];
  const note = (/** @type {string} */ name) => (/** @type {unknown[]} */ ...values) => void told.push([name, ...values]);
  const focus = Object.assign(new Focus(), { answer: note("focus"), take: note("distributions") });
  return {
    told,
    state: { setRun: note("run"), setCommands: note("commands"), setGates: note("gates"), setAlerts: note("alerts"), setOptimizers: note("optimizers"), focus },
    events: { take: note("events") },
    lines: { addMetrics: note("metrics") },
    explanations: { outdate: note("explanations") },
    loadParameters: note("parameters"),
  };
}

/** @param {object} message as it comes from the server */
function toldOf(message) {
  const listener = page();
  receive(/** @type {any} */ (message), listener);
  return listener.told;
}

test("each type of message goes to what keeps it, once", () => {
  assert.deepEqual(toldOf({ type: "run", run: "row" }), [["run", "row"]]);
  assert.deepEqual(toldOf({ type: "commands", commands: ["row"] }), [["commands", ["row"]]]);
  assert.deepEqual(toldOf({ type: "gates", gates: ["row"] }), [["gates", ["row"]]]);
  assert.deepEqual(toldOf({ type: "alerts", alerts: ["row"] }), [["alerts", ["row"]]]);
  assert.deepEqual(toldOf({ type: "optimizers", step: 7, groups: [] }), [["optimizers", { step: 7, groups: [] }]]);
  assert.deepEqual(toldOf({ type: "events", events: ["row"] }), [["events", ["row"]]]);
  assert.deepEqual(toldOf({ type: "distributions", parameters: ["row"] }), [["distributions", ["row"]]]);
  const told = { type: "focus", parameters: [3], problem: null };
  assert.deepEqual(toldOf(told), [["focus", told]]);
  assert.deepEqual(toldOf({ type: "metrics", points: ["point"], complete: false }), [["metrics", ["point"], false]]);
});

test("what is only said to have changed is fetched again", () => {
  assert.deepEqual(toldOf({ type: "parameters" }), [["parameters"]]);
  assert.deepEqual(toldOf({ type: "explanations" }), [["explanations"]]);
});

test("a message from a newer server, or one called as JavaScript's own things are, is passed over", () => {
  for (const type of ["weather", "constructor", "__proto__", undefined]) assert.deepEqual(toldOf({ type }), []);
});
