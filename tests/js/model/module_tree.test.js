import assert from "node:assert/strict";
import { test } from "node:test";

import { buildTree, sortedRows, targetOf, visibleRows } from "../../../static/model/module_tree.js";
import { parameterRow } from "../support/rows.js";

const NAMES = ["scale", "encoder.conv.weight", "encoder.conv.bias", "encoder.norm.weight", "head.weight"];
const ROWS = NAMES.map((name) => parameterRow(name));
const all = () => true;

/** @param {...string} paths of modules that are closed */
function allBut(...paths) {
  return (/** @type {import("../../../static/model/module_tree.js").TreeNode} */ { path }) => !paths.includes(path);
}

/** @param {import("../../../static/model/module_tree.js").TreeNode[]} rows */
function labels(rows) {
  return rows.map(({ label, depth }) => `${" ".repeat(depth)}${label}`);
}

/** A weight that was replaced in mid-run: the new one is at the table's end. */
const GROWN = [
  parameterRow("encoder.weight (replaced at step 4)", { module: "encoder", removed: true }),
  parameterRow("head.weight"),
  parameterRow("encoder.weight"),
];

test("modules and parameters come in model order, indented by depth", () => {
  assert.deepEqual(labels(visibleRows(buildTree(ROWS), all, null)), [
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
  const rows = visibleRows(buildTree(ROWS), allBut("encoder", "head"), null);
  assert.deepEqual(labels(rows), ["model", " scale", " encoder", " head"]);
});

test("a filter shows the matches and what holds them, collapsed or not", () => {
  const rows = visibleRows(buildTree(ROWS), allBut("encoder"), Uint8Array.from([0, 0, 1, 0, 0]));
  assert.deepEqual(labels(rows), ["model", " encoder", "  conv", "   bias"]);
});

test("layers come by their number, and what has none stays where it is", () => {
  const tree = buildTree(["h.10.a", "h.2.a", "norm1", "h.out", "h.1.a", "norm0", "h.1b.a"].map((name) => parameterRow(name)));
  assert.deepEqual(tree.nodes.get("m:h")?.children.map(({ label }) => label), ["1", "2", "out", "10", "1b"]);
  assert.deepEqual(tree.root.children.map(({ label }) => label), ["h", "norm0", "norm1"]);
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

test("what was removed is shown, and counted no longer", () => {
  const { nodes, root } = buildTree(GROWN);
  assert.deepEqual(root.parameters, [1, 2]);
  assert.equal(root.numel, 16);
  const gone = nodes.get("p:encoder.weight (replaced at step 4)");
  assert.deepEqual([gone?.parameters, gone?.removed, gone?.label], [[], [0], "weight (replaced at step 4)"]);
  const matched = Uint8Array.from([1, 0, 0]);
  assert.deepEqual(labels(visibleRows(buildTree(GROWN), all, matched)), [
    "model",
    " encoder",
    "  weight (replaced at step 4)",
  ]);
});

test("targets are the name, the module's path, and * for the whole model", () => {
  const { nodes, root } = buildTree(ROWS);
  assert.equal(targetOf(root), "*");
  assert.equal(targetOf(/** @type {any} */ (nodes.get("m:encoder.conv"))), "encoder.conv");
  assert.equal(targetOf(/** @type {any} */ (nodes.get("p:head.weight"))), "head.weight");
});

test("10,000 parameters become rows in well under a frame budget of a second", () => {
  const rows = Array.from({ length: 10_000 }, (_, i) => parameterRow(`a.${i % 100}.b${i}.weight`));
  const start = performance.now();
  const tree = buildTree(rows);
  assert.equal(visibleRows(tree, all, new Uint8Array(10_000).fill(1)).length, 20_102);
  assert.ok(performance.now() - start < 1000);
});

test("sorted, parameters stand alone by their figure, and those without one are last", () => {
  const tree = buildTree(GROWN);
  const names = (/** @type {import("../../../static/model/module_tree.js").TreeNode[]} */ rows) => rows.map(({ path }) => path);
  assert.deepEqual(names(sortedRows(tree, [9, 1, 2], false)), ["encoder.weight", "head.weight"]);
  assert.deepEqual(names(sortedRows(tree, [9, 1, 2], true)), ["head.weight", "encoder.weight"]);
  assert.deepEqual(names(sortedRows(tree, [9, NaN, 2], true)), ["encoder.weight", "head.weight"]);
});
