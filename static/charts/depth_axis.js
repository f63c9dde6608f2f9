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
 */

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
 * again and again while it holds over a quarter of the model and the blocks stay few. Layers that are numbered are as
 * one among them: whatever their number, they are told apart.
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
    if (!large || namesOf(opened) > most) break;
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

/**
 * How many names tell blocks apart; one does for numbered layers, beside their numbers.
 * @param {readonly TreeNode[]} blocks
 */
function namesOf(blocks) {
  return new Set(blocks.map((node) => (isNumber(node.label) ? node.parent : node))).size;
}

/** @param {string} label */
export function isNumber(label) {
  return /^\d{1,15}$/.test(label);
}

/** @param {string} path */
export function topOf(path) {
  return path.split(".", 1)[0];
}
