/**
 * Sites: the places where a gate can stand, as `param:NAME`, `output:MODULE`, `input:MODULE` and
 * `site:LABEL`.
 *
 * @typedef {import("./records.js").GateRow} GateRow
 * @typedef {import("./records.js").ParameterRow} ParameterRow
 * @typedef {import("./module_tree.js").TreeNode} TreeNode
 * @typedef {import("./module_tree.js").Tree} Tree
 *
 * @typedef {"param" | "output" | "input" | "site"} SiteKind
 */
import { visible } from "../base/visible.js";

/** @type {readonly SiteKind[]} */
const KINDS = Object.freeze(["param", "output", "input", "site"]);

/**
 * @param {string} site
 * @returns {{kind: SiteKind, name: string}}
 */
export function parseSite(site) {
  const colon = site.indexOf(":");
  const kind = KINDS.find((each) => each === site.slice(0, colon));
  if (kind === undefined) throw new Error(`unknown site: ${site}`);
  return { kind, name: site.slice(colon + 1) };
}

/**
 * A site in words: `output of encoder`.
 * @param {string} site
 */
export function siteWords(site) {
  const { kind, name } = parseSite(site);
  const shown = visible(name);
  if (kind === "param") return shown;
  if (kind === "site") return `site ${shown}`;
  return `${kind} of ${shown || "the whole model"}`;
}

/**
 * The gates of each row of the tree. A module without parameters has no row: its gates stand at the
 * nearest module around it that has one. A labelled site stands in no row.
 * @param {readonly GateRow[]} gates
 * @param {Tree} tree
 * @param {readonly ParameterRow[]} parameters
 * @returns {Map<string, GateRow[]>} by the node's id
 */
export function gatesByNode(gates, tree, parameters) {
  /** @type {Map<string, GateRow[]>} */
  const found = new Map();
  for (const gate of gates) {
    const id = nodeOf(gate.site, tree, parameters);
    if (id !== null) found.set(id, [...(found.get(id) ?? []), gate]);
  }
  return found;
}

/**
 * @param {string} site
 * @param {Tree} tree
 * @param {readonly ParameterRow[]} parameters
 * @returns {string | null} the node's id
 */
function nodeOf(site, tree, parameters) {
  const { kind, name } = parseSite(site);
  if (kind === "site") return null;
  if (kind === "param") {
    const row = parameters.find(({ names, removed }) => !removed && names.includes(name));
    return row === undefined ? null : `p:${row.name}`;
  }
  let path = name;
  while (path !== "" && !tree.nodes.has(`m:${path}`)) path = path.slice(0, Math.max(0, path.lastIndexOf(".")));
  return `m:${path}`;
}

/**
 * The gates at a node and below it.
 * @param {TreeNode} node
 * @param {ReadonlyMap<string, GateRow[]>} byNode
 * @returns {GateRow[]}
 */
export function gatesBelow(node, byNode) {
  if (byNode.size === 0) return [];
  /** @type {GateRow[]} */
  const found = [];
  const stack = [node];
  for (let each = stack.pop(); each !== undefined; each = stack.pop()) {
    found.push(...(byNode.get(each.id) ?? []));
    stack.push(...each.children);
  }
  return found;
}
