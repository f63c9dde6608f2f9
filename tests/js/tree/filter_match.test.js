import assert from "node:assert/strict";
import { test } from "node:test";

import { RunState } from "../../../static/model/run_state.js";
import { FilterMatch } from "../../../static/tree/filter_match.js";
import { explanation, parameterRow, traced } from "../support/rows.js";

test("the filter follows causes and alerts as they come and go", () => {
  const state = new RunState();
  const matching = new FilterMatch();
  const rows = [parameterRow("a", { state: "absent" }), parameterRow("b", { state: "absent", index: 1 })];
  state.setParameters(rows);
  const found = (/** @type {string} */ filter) => [...(matching.of(filter, state) ?? [])];
  assert.deepEqual(found("cause:detached"), [0, 0]);
  state.verdicts.set(traced([explanation(1)]));
  state.verdicts.settle(state.states, state.sampleStep);
  assert.deepEqual(found("cause:detached"), [0, 1]);
  assert.deepEqual(found("is:alert"), [0, 0]);
  const told = { parameter: 0, name: "a", since_step: 1, cause: null, detail: null, where: null };
  state.setAlerts([told, { ...told, parameter: 1, level: "note" }, { ...told, parameter: null, name: null }]);
  assert.deepEqual(found("is:alert"), [1, 0]);
  assert.deepEqual(found("is:note"), [0, 1]);
  assert.equal(matching.of("", state), null);
});

test("a tied parameter is found by each of its names", () => {
  const state = new RunState();
  state.setParameters([parameterRow("embed.weight", { names: ["embed.weight", "head.weight"] }), parameterRow("b")]);
  assert.deepEqual([...(new FilterMatch().of("head", state) ?? [])], [1, 0]);
});
