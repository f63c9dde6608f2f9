import assert from "node:assert/strict";
import { test } from "node:test";

import { frozenHow, frozenState } from "../../../static/model/frozen_state.js";
import { buildTree } from "../../../static/model/module_tree.js";
import { frozenBy, parameterRow } from "../support/rows.js";

const NAMES = ["scale", "encoder.conv.weight", "encoder.conv.bias", "encoder.norm.weight", "head.weight"];
const ROWS = NAMES.map((name) => parameterRow(name));

/** A weight that was replaced in mid-run: the new one is at the table's end. */
const GROWN = [
  parameterRow("encoder.weight (replaced at step 4)", { module: "encoder", removed: true }),
  parameterRow("head.weight"),
  parameterRow("encoder.weight"),
];

test("a toggle is mixed when only a part is frozen", () => {
  const frozen = frozenBy();
  const rows = ROWS.map((row, i) => ({ ...row, frozen: i === 1 || i === 4 ? frozen : null }));
  const { nodes, root } = buildTree(rows);
  const state = (/** @type {string} */ id) => {
    const node = nodes.get(id);
    assert.ok(node);
    return frozenState(node, rows);
  };
  assert.equal(state("m:head"), "true");
  assert.equal(state("m:encoder"), "mixed");
  assert.equal(state("p:scale"), "false");
  assert.equal(frozenState(root, rows), "mixed");
});

test("a node says how it is frozen, where that is not the plain way", () => {
  const how = (/** @type {ReturnType<typeof frozenBy>[]} */ ...ways) => {
    const rows = ways.map((frozen, i) => parameterRow(`m.${i}`, { frozen }));
    return frozenHow(buildTree(rows).root, rows);
  };
  const held = frozenBy({ mode: "no_grad", hold_stats: true });
  assert.deepEqual(how(frozenBy(), frozenBy()), []);
  assert.deepEqual(how(held, held), ["without a graph (no_grad), running statistics held"]);
  assert.deepEqual(how(held, frozenBy()), ["in several ways"]);
});

test("what was removed leaves a frozen module frozen", () => {
  const all = GROWN.map((row) => (row.removed ? row : { ...row, frozen: frozenBy() }));
  assert.equal(frozenState(buildTree(all).root, all), "true");
});
