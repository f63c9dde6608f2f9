/**
 * How the parameters of a node are frozen: all, some or none of them, and in which way.
 *
 * @typedef {import("./limit.js").Limit} Limit
 * @typedef {import("./records.js").FreezeMode} FreezeMode
 * @typedef {import("./records.js").ParameterRow} ParameterRow
 * @typedef {import("./module_tree.js").TreeNode} TreeNode
 */
import { limitWords } from "./limit.js";

/**
 * How something is frozen, and for how long, where it is not the plain way.
 * @param {{mode: FreezeMode, hold_stats: boolean, limit?: Limit | null}} frozen
 * @returns {string[]}
 */
export function frozenWords({ mode, hold_stats, limit }) {
  return [
    ...(mode === "no_grad" ? ["without a graph (no_grad)"] : []),
    ...(hold_stats ? ["running statistics held"] : []),
    ...limitWords(limit),
  ];
}

/**
 * The three-valued state of a freeze toggle.
 * @param {TreeNode} node
 * @param {readonly ParameterRow[]} parameters
 * @returns {"true" | "false" | "mixed"}
 */
export function frozenState(node, parameters) {
  let frozen = 0;
  for (const position of node.parameters) {
    if (parameters[position].frozen !== null) frozen += 1;
  }
  if (frozen === 0) return "false";
  return frozen === node.parameters.length ? "true" : "mixed";
}

/**
 * How the parameters of a node are frozen, in words.
 * @param {TreeNode} node
 * @param {readonly ParameterRow[]} parameters
 * @returns {string[]} none where nothing is, or all of it is the plain way
 */
export function frozenHow(node, parameters) {
  const ways = node.parameters.flatMap((position) => {
    const { frozen } = parameters[position];
    return frozen === null ? [] : [frozenWords(frozen).join(", ")];
  });
  const different = new Set(ways);
  if (different.size > 1) return ["in several ways"];
  return [...different].filter(Boolean);
}
