/**
 * The axis along the depth of the model: which parameter stands at which place, the blocks of the tree
 * that it is divided into, and their names below it.
 *
 * @typedef {import("../model/module_tree.js").Tree} Tree
 * @typedef {import("../model/module_tree.js").TreeNode} TreeNode
 * @typedef {import("../model/records.js").ParameterRow} ParameterRow
 *
 * @typedef {object} Measured
 * @property {readonly ParameterRow[]} parameters
 * @property {Uint8Array} states
 * @property {Float32Array} norms
 * @property {Float32Array} lows
 * @property {Float32Array} highs
 *
 * @typedef {{label: string, path: string, first: number, last: number}} Block by places on the axis
 * @typedef {{at: number, text: string}} PlacedName
 * @typedef {object} BlockNames top-level modules below, and nearer to the axis the parts of those that are told apart
 * @property {PlacedName[]} near
 * @property {PlacedName[]} below empty when no module is told apart
 */
import { shortenMiddle } from "../base/format.js";

const CHARACTER = 6.2;
const LONGEST = 24;
const SPARE_RIGHT = 40;

/**
 * Positions of the model's parameters in the order of the tree: what was added in mid-run stands
 * beside its module's other parameters, and what was removed has no place.
 * @param {Tree} tree
 * @returns {number[]}
 */
export function treeOrder({ root }) {
  /** @type {number[]} */
  const order = [];
  const stack = [root];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node.kind === "parameter") order.push(...node.parameters);
    for (let i = node.children.length - 1; i >= 0; i -= 1) stack.push(node.children[i]);
  }
  return order;
}

/**
 * Blocks of the model for an axis in the order of the tree: first the root's children, then the largest block is opened
 * again and again while it holds over a quarter of the model and the blocks stay few.
 * @param {Tree} tree
 * @param {number} most blocks at most
 * @returns {Block[]}
 */
export function axisBlocks(tree, most) {
  /** @type {TreeNode[]} */
  let blocks = [tree.root];
  for (;;) {
    const largest = blocks
      .filter((node) => node.children.some((child) => child.kind === "module"))
      .sort((a, b) => b.parameters.length - a.parameters.length)[0];
    if (largest === undefined) break;
    const opened = blocks.flatMap((node) => (node === largest ? node.children : [node]));
    const large = largest.parameters.length * 4 > tree.root.parameters.length;
    if (!large || opened.length > most) break;
    blocks = opened;
  }
  let next = 0;
  return blocks
    .filter((node) => node.parameters.length > 0)
    .map(({ label, path, parameters }) => {
      const first = next;
      next += parameters.length;
      return { label, path, first, last: next - 1 };
    });
}

/**
 * A sample in the order of the axis.
 * @param {readonly number[]} order positions, by place
 * @param {Measured} measured by position
 * @returns {Measured} by place
 */
export function inOrder(order, { parameters, states, norms, lows, highs }) {
  return {
    parameters: order.map((position) => parameters[position]),
    states: Uint8Array.from(order, (position) => states[position]),
    norms: Float32Array.from(order, (position) => norms[position]),
    lows: Float32Array.from(order, (position) => lows[position]),
    highs: Float32Array.from(order, (position) => highs[position]),
  };
}

/** @param {string} path */
export function topOf(path) {
  return path.split(".", 1)[0];
}

/**
 * The names of blocks. One that would run into another is left out; larger blocks come first.
 * @param {readonly Block[]} blocks in model order
 * @param {number} perPixel parameters
 * @returns {BlockNames}
 */
export function blockNames(blocks, perPixel) {
  const inner = blocks.filter(({ path }) => path !== topOf(path));
  const parts = inner.map((block) => ({ ...block, text: block.path.slice(topOf(block.path).length + 1) }));
  const wholes = topBlocks(blocks).map((block) => ({ ...block, text: topOf(block.path) || "model" }));
  if (parts.length === 0) return { near: placed(wholes, perPixel), below: [] };
  return { near: placed(parts, perPixel), below: placed(wholes, perPixel) };
}

/**
 * Neighbours of one top-level module as one block.
 * @param {readonly Block[]} blocks
 * @returns {Block[]}
 */
function topBlocks(blocks) {
  /** @type {Block[]} */
  const wholes = [];
  for (const block of blocks) {
    const previous = wholes[wholes.length - 1];
    if (previous !== undefined && topOf(previous.path) === topOf(block.path)) previous.last = block.last;
    else wholes.push({ ...block });
  }
  return wholes;
}

/**
 * @param {readonly (Block & {text: string})[]} named
 * @param {number} perPixel
 */
function placed(named, perPixel) {
  /** @type {(PlacedName & {half: number})[]} */
  const names = [];
  const end = Math.max(...named.map(({ last }) => last)) + SPARE_RIGHT * perPixel;
  for (const block of [...named].sort((a, b) => b.last - b.first - (a.last - a.first))) {
    const text = shortenMiddle(block.text, LONGEST);
    const half = ((text.length + 1) * CHARACTER * perPixel) / 2;
    const at = (block.first + block.last) / 2;
    if (at + half > end) continue;
    if (names.every((other) => Math.abs(other.at - at) > other.half + half)) names.push({ at, text, half });
  }
  return names.sort((a, b) => a.at - b.at).map(({ at, text }) => ({ at, text }));
}
