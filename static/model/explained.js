/**
 * The parameters of which there is something to say.
 *
 * @typedef {import("./module_tree.js").TreeNode} TreeNode
 * @typedef {import("./run_state.js").RunState} RunState
 */
/**
 * Is there something to say of a parameter: a trouble, a cause that nobody wanted, an alert, a note?
 * @param {number} position
 * @param {RunState} state
 */
export function isExplained(position, { verdicts, states, told }) {
  return told.has(position) || verdicts.asks(position, states);
}

/**
 * Which parameter a row of the tree asks about: its own, or the first below that there is something to say of;
 * "" for none.
 * @param {TreeNode} node
 * @param {RunState} state
 */
export function nameToExplain(node, state) {
  if (node.kind === "parameter") return node.path;
  const { parameters } = state;
  const asked = node.parameters.find((position) => isExplained(position, state));
  return asked === undefined ? "" : parameters[asked].name;
}
