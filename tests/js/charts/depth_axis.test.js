import assert from "node:assert/strict";
import { test } from "node:test";

import { axisBlocks, blockNames, inOrder, treeOrder } from "../../../static/charts/depth_axis.js";
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

test("names below the axis do not run into one another", () => {
  const blocks = [
    { label: "0", path: "encoder.blocks.0", first: 0, last: 9 },
    { label: "1", path: "encoder.blocks.1", first: 10, last: 19 },
    { label: "tiny", path: "tiny", first: 20, last: 20 },
    { label: "decoder", path: "decoder", first: 21, last: 40 },
  ];
  const texts = (/** @type {number} */ perPixel) => {
    const { near, below } = blockNames(blocks, perPixel);
    return [near.map(({ text }) => text), below.map(({ text }) => text)];
  };
  assert.deepEqual(texts(0.02), [
    ["blocks.0", "blocks.1"],
    ["encoder", "tiny", "decoder"],
  ]);
  assert.deepEqual(texts(0.3), [["blocks.0"], ["encoder", "decoder"]]);
});

test("a model of one level has its names on one line", () => {
  const blocks = [{ label: "a", path: "a", first: 0, last: 9 }];
  assert.deepEqual(blockNames(blocks, 0.02), { near: [{ at: 4.5, text: "a" }], below: [] });
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
