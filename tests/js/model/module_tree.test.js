import assert from "node:assert/strict";
import { test } from "node:test";

import { frozenHow, frozenState } from "../../../static/model/frozen_state.js";
import { axisBlocks, buildTree, targetOf, treeOrder, visibleRows } from "../../../static/model/module_tree.js";
import { frozenBy, parameterRow } from "../support/rows.js";

const NAMES = ["scale", "encoder.conv.weight", "encoder.conv.bias", "encoder.norm.weight", "head.weight"];
const ROWS = NAMES.map((name) => parameterRow(name));
const NOTHING = new Set();

/** @param {import("../../../static/model/module_tree.js").TreeNode[]} rows */
function labels(rows) {
  return rows.map(({ label, depth }) => `${" ".repeat(depth)}${label}`);
}

test("modules and parameters come in model order, indented by depth", () => {
  assert.deepEqual(labels(visibleRows(buildTree(ROWS), NOTHING, null)), [
    "model",
    " scale",
    " encoder",
    "  conv",
    "   weight",
    "   bias",
    "  norm",
    "   weight",
    " head",
    "  weight",
  ]);
});

test("a node knows all parameters below it and their numbers", () => {
  const { nodes, root } = buildTree(ROWS);
  assert.deepEqual(nodes.get("m:encoder")?.parameters, [1, 2, 3]);
  assert.equal(nodes.get("m:encoder")?.numel, 24);
  assert.deepEqual(root.parameters, [0, 1, 2, 3, 4]);
});

test("a collapsed module hides what is below it", () => {
  const rows = visibleRows(buildTree(ROWS), new Set(["encoder", "head"]), null);
  assert.deepEqual(labels(rows), ["model", " scale", " encoder", " head"]);
});

test("a filter shows the matches and what holds them, collapsed or not", () => {
  const rows = visibleRows(buildTree(ROWS), new Set(["encoder"]), Uint8Array.from([0, 0, 1, 0, 0]));
  assert.deepEqual(labels(rows), ["model", " encoder", "  conv", "   bias"]);
});

test("a name that does not begin with its module's path is shown whole", () => {
  const { nodes } = buildTree([parameterRow("tied.weight", { module: "other" })]);
  assert.equal(nodes.get("p:tied.weight")?.label, "tied.weight");
  assert.equal(nodes.get("p:tied.weight")?.parent?.path, "other");
});

test("a module and a parameter of the same path are two nodes", () => {
  const { nodes } = buildTree([parameterRow("a"), parameterRow("a.b")]);
  assert.equal(nodes.get("p:a")?.kind, "parameter");
  assert.equal(nodes.get("m:a")?.kind, "module");
});

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

/** A weight that was replaced in mid-run: the new one is at the table's end. */
const GROWN = [
  parameterRow("encoder.weight (replaced at step 4)", { module: "encoder", removed: true }),
  parameterRow("head.weight"),
  parameterRow("encoder.weight"),
];

test("what was removed is shown, and counted and frozen no longer", () => {
  const { nodes, root } = buildTree(GROWN);
  assert.deepEqual(root.parameters, [1, 2]);
  assert.equal(root.numel, 16);
  const gone = nodes.get("p:encoder.weight (replaced at step 4)");
  assert.deepEqual([gone?.parameters, gone?.removed, gone?.label], [[], [0], "weight (replaced at step 4)"]);
  const matched = Uint8Array.from([1, 0, 0]);
  assert.deepEqual(labels(visibleRows(buildTree(GROWN), NOTHING, matched)), [
    "model",
    " encoder",
    "  weight (replaced at step 4)",
  ]);
  const all = GROWN.map((row) => (row.removed ? row : { ...row, frozen: frozenBy() }));
  assert.equal(frozenState(buildTree(all).root, all), "true");
});

test("on an axis a new parameter stands in its module, and a removed one nowhere", () => {
  const tree = buildTree(GROWN);
  assert.deepEqual(treeOrder(tree), [2, 1]);
  assert.deepEqual(
    axisBlocks(tree, 8).map(({ path, first, last }) => [path, first, last]),
    [
      ["encoder", 0, 0],
      ["head", 1, 1],
    ],
  );
});

test("targets are the name, the module's path, and * for the whole model", () => {
  const { nodes, root } = buildTree(ROWS);
  assert.equal(targetOf(root), "*");
  assert.equal(targetOf(/** @type {any} */ (nodes.get("m:encoder.conv"))), "encoder.conv");
  assert.equal(targetOf(/** @type {any} */ (nodes.get("p:head.weight"))), "head.weight");
});

test("axis blocks cover every parameter once and open only what is large", () => {
  const blocks = axisBlocks(buildTree(ROWS), 8);
  assert.deepEqual(
    blocks.map(({ path, first, last }) => [path, first, last]),
    [
      ["scale", 0, 0],
      ["encoder.conv", 1, 2],
      ["encoder.norm", 3, 3],
      ["head", 4, 4],
    ],
  );
});

test("axis blocks stay within their number", () => {
  const rows = Array.from({ length: 100 }, (_, i) => parameterRow(`layers.${i}.weight`));
  assert.deepEqual(axisBlocks(buildTree(rows), 16).map(({ path }) => path), ["layers"]);
});

test("10,000 parameters become rows in well under a frame budget of a second", () => {
  const rows = Array.from({ length: 10_000 }, (_, i) => parameterRow(`a.${i % 100}.b${i}.weight`));
  const start = performance.now();
  const tree = buildTree(rows);
  assert.equal(visibleRows(tree, NOTHING, new Uint8Array(10_000).fill(1)).length, 20_102);
  assert.ok(performance.now() - start < 1000);
});
