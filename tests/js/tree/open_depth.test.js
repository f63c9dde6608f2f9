import assert from "node:assert/strict";
import { test } from "node:test";

import { buildTree } from "../../../static/model/module_tree.js";
import { readView } from "../../../static/model/view_url.js";
import { fittingDepth, OpenDepth } from "../../../static/tree/open_depth.js";
import { parameterRow } from "../support/rows.js";

/** @param {number} count layers, with two parameters each */
function layers(count) {
  const names = Array.from({ length: count }, (_, i) => [`h.${i}.weight`, `h.${i}.bias`]).flat();
  return buildTree([...names, "head.weight"].map((name) => parameterRow(name)));
}

/**
 * @param {OpenDepth} open
 * @param {ReturnType<typeof layers>} tree
 * @param {string} query
 */
function openOf(open, tree, query) {
  const view = readView(query);
  const modules = [...tree.nodes.values()].filter(({ kind }) => kind === "module");
  return modules.filter((module) => open.isOpen(module, view)).map(({ path }) => path || "model");
}

test("as many levels are open as the panel has room for", () => {
  assert.equal(fittingDepth(layers(4), 16), Infinity); // 1 model, 2 modules, 4 layers and a parameter, 8 parameters
  assert.equal(fittingDepth(layers(4), 15), 2);
  assert.equal(fittingDepth(layers(4), 8), 2);
});

test("one more level is open where the panel were less than half full", () => {
  assert.equal(fittingDepth(layers(100), 16), 2);
  assert.equal(fittingDepth(layers(5), 6), 1);
});

test("what somebody opened or closed is so, whatever fits", () => {
  const tree = layers(4);
  const open = new OpenDepth();
  assert.equal(open.fit(tree, 8), true);
  assert.deepEqual(openOf(open, tree, ""), ["model", "h", "head"]);
  assert.deepEqual(openOf(open, tree, "?opened=h.2&collapsed=head"), ["model", "h", "h.2"]);
  assert.deepEqual(openOf(open, tree, "?depth=1&opened=head"), ["model", "head"]);
  assert.deepEqual(openOf(open, tree, "?depth=all").length, 7);
});

test("the depth is chosen once there is a model, and stays", () => {
  const open = new OpenDepth();
  assert.equal(open.fit(buildTree([]), 8), false);
  assert.equal(open.fit(layers(4), 8), true);
  assert.equal(open.fit(layers(4), 800), false);
  assert.equal(open.fitted, 2);
});

test("the modules that hide a parameter are named", () => {
  const tree = layers(4);
  const open = new OpenDepth();
  open.fit(tree, 8);
  const around = (/** @type {string} */ query) => open.closedAround(tree.nodes.get("p:h.2.bias"), readView(query)).map(({ path }) => path);
  assert.deepEqual(around(""), ["h.2"]);
  assert.deepEqual(around("?collapsed="), ["h.2", ""]);
  assert.deepEqual(open.closedAround(undefined, readView("")), []);
});
