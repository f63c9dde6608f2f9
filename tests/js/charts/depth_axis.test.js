import assert from "node:assert/strict";
import { test } from "node:test";

import { axisBlocks, inOrder, treeOrder } from "../../../static/charts/depth_axis.js";
import { buildTree } from "../../../static/model/module_tree.js";
import { parameterRow } from "../support/rows.js";

const NAMES = ["scale", "encoder.conv.weight", "encoder.conv.bias", "encoder.norm.weight", "head.weight"];
const ROWS = NAMES.map((name) => parameterRow(name));

/** A weight that was replaced in mid-run: the new one is at the table's end. */
const GROWN = [
  parameterRow("encoder.weight (replaced at step 4)", { module: "encoder", removed: true }),
  parameterRow("head.weight"),
  parameterRow("encoder.weight"),
];

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

test("axis blocks stay within their number, of which numbered layers take one", () => {
  const paths = (/** @type {string} */ prefix) => {
    const rows = Array.from({ length: 100 }, (_, i) => parameterRow(`layers.${prefix}${i}.weight`));
    return axisBlocks(buildTree(rows), 16).map(({ path }) => path);
  };
  assert.deepEqual(paths("layer"), ["layers"]);
  assert.deepEqual(paths(""), Array.from({ length: 100 }, (_, i) => `layers.${i}`));
});

test("a block that holds a quarter of the model or less stays whole", () => {
  const names = ["a", "b", "c", "d"].flatMap((top) => ["x", "y"].map((inner) => `${top}.${inner}.w`));
  const blocks = axisBlocks(buildTree(names.map((name) => parameterRow(name))), 100);
  assert.deepEqual(blocks.map(({ path }) => path), ["a", "b", "c", "d"]);
});

test("all of a sample is put in the order of the axis", () => {
  const measured = {
    parameters: [parameterRow("a"), parameterRow("b")],
    states: Uint8Array.from([1, 4]),
    norms: Float32Array.from([1, 2]),
    lows: Float32Array.from([3, 4]),
    highs: Float32Array.from([5, 6]),
  };
  const { parameters, states, norms, lows, highs } = inOrder([1, 0], measured);
  assert.deepEqual(parameters.map(({ name }) => name), ["b", "a"]);
  assert.deepEqual([states, norms, lows, highs].map((each) => [...each]), [[4, 1], [2, 1], [4, 3], [6, 5]]);
});
