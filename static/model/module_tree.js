/**
 * The tree of modules and parameters, and the rows of it that are neither folded nor filtered away.
 *
 * @typedef {import("./records.js").ParameterRow} ParameterRow
 * @typedef {object} TreeNode
 * @property {string} id `m:PATH` or `p:NAME`
 * @property {"module" | "parameter"} kind
 * @property {string} path a module's path (the root's is ""), or a parameter's name
 * @property {string} label the last part of the path
 * @property {number} depth 0 for the root
 * @property {TreeNode | null} parent
 * @property {TreeNode[]} children in model order, and by their number where names differ in that alone
 * @property {number[]} parameters positions of all parameters of the model at or below the node
 * @property {number[]} removed positions of those that the model has no longer
 * @property {number} numel of the model's
 *
 * @typedef {object} Tree
 * @property {TreeNode} root
 * @property {Map<string, TreeNode>} nodes by id
 */

/**
 * @param {readonly ParameterRow[]} parameters in model order
 * @returns {Tree}
 */
export function buildTree(parameters) {
  const root = makeNode("module", "", "model", null);
  /** @type {Map<string, TreeNode>} */
  const nodes = new Map([[root.id, root]]);
  parameters.forEach((parameter, position) => {
    const parent = moduleNode(nodes, root, parameter.module);
    const prefix = parameter.module === "" ? "" : `${parameter.module}.`;
    const label = parameter.name.startsWith(prefix)
      ? parameter.name.slice(prefix.length)
      : parameter.name;
    const leaf = makeNode("parameter", parameter.name, label, parent);
    nodes.set(leaf.id, leaf);
    /** @type {TreeNode | null} */
    let node = leaf;
    while (node !== null) {
      (parameter.removed ? node.removed : node.parameters).push(position);
      if (!parameter.removed) node.numel += parameter.numel;
      node = node.parent;
    }
  });
  for (const node of nodes.values()) node.children = inOrderOfNumber(node.children);
  return { root, nodes };
}

/**
 * Children in their order, but those whose names differ in a number alone (`layers.2`, `layers.10`) by
 * that number, each in a place that one of them had.
 * @param {TreeNode[]} children
 */
function inOrderOfNumber(children) {
  const parts = children.map(({ label }) => /^(.*?)(\d{1,15})$/.exec(label));
  /** @type {Map<string, number[]>} places by the name without its number */
  const alike = new Map();
  parts.forEach((part, place) => {
    if (part !== null) alike.set(part[1], [...(alike.get(part[1]) ?? []), place]);
  });
  const ordered = [...children];
  for (const places of alike.values()) {
    const numberOf = (/** @type {number} */ place) => Number(parts[place]?.[2]);
    places.toSorted((a, b) => numberOf(a) - numberOf(b)).forEach((from, i) => (ordered[places[i]] = children[from]));
  }
  return ordered;
}

/**
 * @param {TreeNode["kind"]} kind
 * @param {string} path
 * @param {string} label
 * @param {TreeNode | null} parent
 * @returns {TreeNode}
 */
function makeNode(kind, path, label, parent) {
  const node = {
    id: `${kind === "module" ? "m" : "p"}:${path}`,
    kind,
    path,
    label,
    depth: parent === null ? 0 : parent.depth + 1,
    parent,
    children: [],
    parameters: [],
    removed: [],
    numel: 0,
  };
  parent?.children.push(node);
  return node;
}

/**
 * @param {Map<string, TreeNode>} nodes
 * @param {TreeNode} root
 * @param {string} path
 * @returns {TreeNode}
 */
function moduleNode(nodes, root, path) {
  if (path === "") return root;
  const known = nodes.get(`m:${path}`);
  if (known !== undefined) return known;
  const dot = path.lastIndexOf(".");
  const parent = moduleNode(nodes, root, dot < 0 ? "" : path.slice(0, dot));
  const node = makeNode("module", path, path.slice(dot + 1), parent);
  nodes.set(node.id, node);
  return node;
}

/**
 * The rows in sight, top to bottom. A filter opens every module that holds a match.
 * @param {Tree} tree
 * @param {(module: TreeNode) => boolean} isOpen
 * @param {Uint8Array | null} matched 1 for each parameter that the filter lets through
 * @returns {TreeNode[]}
 */
export function visibleRows(tree, isOpen, matched) {
  /** @type {TreeNode[]} */
  const rows = [];
  /** @type {TreeNode[]} */
  const stack = [tree.root];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (matched !== null && !holdsMatch(node, matched)) continue;
    rows.push(node);
    if (node.kind === "parameter" || (matched === null && !isOpen(node))) continue;
    for (let i = node.children.length - 1; i >= 0; i -= 1) stack.push(node.children[i]);
  }
  return rows;
}

/**
 * The parameters alone, by a figure of theirs; those without one come last, in model order.
 * @param {Tree} tree
 * @param {ArrayLike<number>} figures by position
 * @param {boolean} rising the smallest first
 * @returns {TreeNode[]}
 */
export function sortedRows(tree, figures, rising) {
  const sign = rising ? 1 : -1;
  const leaves = [...tree.nodes.values()].filter(({ kind, parameters }) => kind === "parameter" && parameters.length > 0);
  const hasFigure = (/** @type {TreeNode} */ { parameters: [position] }) => Number.isFinite(figures[position]);
  const sorted = leaves
    .filter(hasFigure)
    .sort((a, b) => sign * (figures[a.parameters[0]] - figures[b.parameters[0]]));
  return [...sorted, ...leaves.filter((leaf) => !hasFigure(leaf))];
}

/**
 * @param {TreeNode} node
 * @param {Uint8Array} matched
 */
function holdsMatch({ parameters, removed }, matched) {
  const isMatch = (/** @type {number} */ position) => matched[position] === 1;
  return parameters.some(isMatch) || removed.some(isMatch);
}

/**
 * What a command names to reach the node.
 * @param {TreeNode} node
 */
export function targetOf(node) {
  return node.kind === "module" && node.path === "" ? "*" : node.path;
}
