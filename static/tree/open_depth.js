/**
 * Which modules of the tree are open: as somebody chose, and else down to the depth that fits the panel.
 *
 * @typedef {import("../model/module_tree.js").Tree} Tree
 * @typedef {import("../model/module_tree.js").TreeNode} TreeNode
 * @typedef {Pick<import("../model/view_url.js").View, "collapsed" | "opened" | "depth">} Choice
 */
export class OpenDepth {
  constructor() {
    /** @type {number | null} as the panel was when the model came: it opens and closes nothing later */
    this.fitted = null;
  }

  /**
   * Choose the depth, once there is a model. Was it chosen just now?
   * @param {Tree} tree
   * @param {number} room rows of the panel
   */
  fit(tree, room) {
    if (this.fitted !== null || tree.root.children.length === 0) return false;
    this.fitted = fittingDepth(tree, room);
    return true;
  }

  /**
   * @param {TreeNode} node a module
   * @param {Choice} choice
   */
  isOpen({ path, depth }, choice) {
    if (choice.collapsed.has(path)) return false;
    return choice.opened.has(path) || depth < (choice.depth ?? this.fitted ?? Infinity);
  }

  /**
   * The modules around a node that hide it.
   * @param {TreeNode | undefined} node
   * @param {Choice} choice
   */
  closedAround(node, choice) {
    /** @type {TreeNode[]} */
    const closed = [];
    for (let module = node?.parent ?? null; module !== null; module = module.parent) {
      if (!this.isOpen(module, choice)) closed.push(module);
    }
    return closed;
  }
}

/**
 * How many levels are open: as many as the panel has room for, and one more where it were less than half full;
 * Infinity where all are, so that modules that come later are open too.
 * @param {Tree} tree
 * @param {number} room rows
 */
export function fittingDepth({ nodes }, room) {
  /** @type {number[]} */
  const ofDepth = [];
  for (const { depth } of nodes.values()) ofDepth[depth] = (ofDepth[depth] ?? 0) + 1;
  let rows = ofDepth[0];
  let open = 0;
  while (open + 1 < ofDepth.length && (rows + ofDepth[open + 1] <= room || rows < room / 2)) {
    open += 1;
    rows += ofDepth[open];
  }
  return open + 1 < ofDepth.length ? open : Infinity;
}
