import assert from "node:assert/strict";
import { test } from "node:test";

import { nameToExplain } from "../../../static/model/explained.js";
import { RunState } from "../../../static/model/run_state.js";
import { parameterRow } from "../support/rows.js";

test("a module asks about its first parameter in trouble, or of which something is told", () => {
  const state = new RunState();
  state.setParameters([
    parameterRow("a.weight", { state: "present", grad_norm: 1 }),
    parameterRow("a.bias", { state: "absent" }),
    parameterRow("b.weight", { state: "present", grad_norm: 1 }),
  ]);
  const ask = (/** @type {string} */ id) => {
    const node = state.tree.nodes.get(id);
    return node && nameToExplain(node, state);
  };
  assert.equal(ask("m:a"), "a.bias");
  assert.equal(ask("m:b"), "");
  assert.equal(ask("p:b.weight"), "b.weight");
  state.setAlerts([{ parameter: 2, name: "b.weight", since_step: 3, cause: "not_moving", detail: null, where: null, level: "note" }]);
  assert.equal(ask("m:b"), "b.weight");
});
