/**
 * The order of a sorted tree: that of the latest figures, but as it was while somebody points at a row or
 * goes through them by the keyboard, so that no row moves away from under a click.
 *
 * @typedef {import("../model/module_tree.js").Tree} Tree
 * @typedef {import("../model/module_tree.js").TreeNode} TreeNode
 */
import { Memo } from "../base/memo.js";
import { sortedRows } from "../model/module_tree.js";

export class HeldOrder {
  constructor() {
    this.madeFor = new Memo();
    /** @type {TreeNode[]} */
    this.leaves = [];
  }

  /**
   * @param {Tree} tree
   * @param {string} sort with a `-` for the largest first
   * @param {ArrayLike<number>} figures by position
   * @param {Uint8Array | null} matched 1 for each parameter that the filter lets through
   * @param {boolean} held
   */
  rows(tree, sort, figures, matched, held) {
    if (this.madeFor.differs(tree, sort) || !held) this.leaves = sortedRows(tree, figures, !sort.startsWith("-"));
    return matched === null ? this.leaves : this.leaves.filter(({ parameters: [position] }) => matched[position] === 1);
  }
}
