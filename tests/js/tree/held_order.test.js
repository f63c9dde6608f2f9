import assert from "node:assert/strict";
import { test } from "node:test";

import { buildTree } from "../../../static/model/module_tree.js";
import { HeldOrder } from "../../../static/tree/held_order.js";
import { parameterRow } from "../support/rows.js";

const tree = buildTree(["a", "b", "c"].map((name) => parameterRow(name)));
const names = (/** @type {{path: string}[]} */ rows) => rows.map(({ path }) => path).join("");

test("the order follows the figures, but not while it is held", () => {
  const order = new HeldOrder();
  assert.equal(names(order.rows(tree, "-grad_norm", [1, 2, 3], null, true)), "cba");
  assert.equal(names(order.rows(tree, "-grad_norm", [3, 2, 1], null, true)), "cba");
  assert.equal(names(order.rows(tree, "-grad_norm", [3, 2, 1], null, false)), "abc");
});

test("another order, another model and another filter are shown at once", () => {
  const order = new HeldOrder();
  order.rows(tree, "-grad_norm", [1, 2, 3], null, true);
  assert.equal(names(order.rows(tree, "-grad_norm", [3, 2, 1], Uint8Array.of(1, 0, 1), true)), "ca");
  assert.equal(names(order.rows(tree, "grad_norm", [3, 1, 2], null, true)), "bca");
  const grown = buildTree(["a", "b", "c", "d"].map((name) => parameterRow(name)));
  assert.equal(names(order.rows(grown, "grad_norm", [4, 3, 2, 1], null, true)), "dcba");
});
