/**
 * The parameter tree: a virtualised treegrid with the whole keyboard.
 *
 * The grid keeps the focus and names its current row with `aria-activedescendant`, because the row
 * itself may scroll out of existence.
 *
 * @typedef {import("../model/module_tree.js").TreeNode} TreeNode
 * @typedef {import("./tree_row.js").RowFacts} RowFacts
 *
 * @typedef {object} TreeHandlers
 * @property {(node: TreeNode, anchor: HTMLElement) => void} onFreeze
 * @property {(node: TreeNode) => void} onGate
 * @property {(node: TreeNode) => void} onWhy
 * @property {(name: string, add: boolean) => void} onSelect
 * @property {(path: string, collapsed: boolean) => void} onCollapse
 */
import { find, setAttribute } from "../base/dom.js";
import { rowsInSight, scrollToRow } from "./row_window.js";
import { TreeRow } from "./tree_row.js";

const ROW_HEIGHT = 24;

export class TreeView {
  /**
   * @param {HTMLElement} grid
   * @param {TreeHandlers} handlers
   */
  constructor(grid, handlers) {
    this.grid = grid;
    this.body = find(grid, ".tree-body");
    this.list = find(grid, ".tree-rows");
    this.handlers = handlers;
    /** @type {TreeNode[]} */
    this.rows = [];
    this.current = "";
    /** The rows that are drawn. */
    this.first = 0;
    this.end = 0;
    /** @type {Map<string, TreeRow>} by the node's id */
    this.shown = new Map();
    /** @type {(node: TreeNode) => RowFacts} */
    this.factsOf = () => {
      throw new Error("the tree was drawn before it had rows");
    };
    this.body.addEventListener("scroll", () => this.#scroll(), { passive: true });
    new ResizeObserver(() => this.#draw()).observe(this.body);
    // A row may scroll out of existence: the grid takes the focus over.
    this.body.addEventListener("focusin", () => grid.focus({ preventScroll: true }));
    grid.addEventListener("keydown", (event) => this.#key(event));
    grid.addEventListener("click", (event) => this.#click(event));
  }

  /**
   * @param {TreeNode[]} rows in sight, top to bottom
   * @param {(node: TreeNode) => Omit<RowFacts, "current">} factsOf
   */
  render(rows, factsOf) {
    this.rows = rows;
    this.factsOf = (node) => ({ ...factsOf(node), current: node.id === this.current });
    if (!rows.some((row) => row.id === this.current)) this.current = rows[0]?.id ?? "";
    setAttribute(this.grid, "aria-rowcount", String(rows.length + 1));
    this.#draw();
  }

  /** Does somebody point at a row, or go through the rows by the keyboard? */
  isHeld() {
    return this.list.matches(":hover") || this.grid.matches(":focus-visible");
  }

  /** How many rows there is room for. */
  get room() {
    return Math.floor(this.body.clientHeight / ROW_HEIGHT);
  }

  /**
   * Make a node current and bring it into sight.
   * @param {string} id
   */
  goTo(id) {
    const row = this.rows.findIndex((node) => node.id === id);
    if (row < 0) return;
    this.current = id;
    this.body.scrollTop = scrollToRow({
      row,
      scrollTop: this.body.scrollTop,
      height: this.body.clientHeight,
      rowHeight: ROW_HEIGHT,
    });
    this.#draw();
  }

  /** The window goes over the same rows: those that come into it are drawn, the others are as they were. */
  #scroll() {
    const { first, end } = this.#inSight();
    if (first === this.first && end === this.end) return;
    for (const [node, row, isNew] of this.#place(first, end)) if (isNew) row.update(node, this.factsOf(node));
  }

  /** Draw all the rows in sight. */
  #draw() {
    const { first, end } = this.#inSight();
    for (const [node, row] of this.#place(first, end)) row.update(node, this.factsOf(node));
  }

  #inSight() {
    return rowsInSight({
      scrollTop: this.body.scrollTop,
      height: this.body.clientHeight,
      rowHeight: ROW_HEIGHT,
      count: this.rows.length,
    });
  }

  /**
   * Put rows where they belong; elements of those out of sight serve again.
   * @param {number} first
   * @param {number} end
   * @returns {[TreeNode, TreeRow, boolean][]} the rows in sight, and whether they have come into it
   */
  #place(first, end) {
    this.first = first;
    this.end = end;
    const wanted = this.rows.slice(first, end);
    const ids = new Set(wanted.map((node) => node.id));
    const spare = [...this.shown].filter(([id]) => !ids.has(id));
    for (const [id] of spare) this.shown.delete(id);
    /** @type {[TreeNode, TreeRow, boolean][]} */
    const placed = wanted.map((node, i) => {
      const known = this.shown.get(node.id);
      const row = known ?? spare.pop()?.[1] ?? new TreeRow();
      this.shown.set(node.id, row);
      setAttribute(row.element, "id", `row-${first + i}`);
      setAttribute(row.element, "aria-rowindex", String(first + i + 2));
      return [node, row, known === undefined];
    });
    for (const [, row] of spare) row.element.remove();
    this.#order(placed.map(([, row]) => row.element));
    this.list.style.paddingTop = `${first * ROW_HEIGHT}px`;
    this.list.style.paddingBottom = `${(this.rows.length - first - wanted.length) * ROW_HEIGHT}px`;
    const at = this.rows.findIndex((node) => node.id === this.current);
    setAttribute(this.grid, "aria-activedescendant", at >= first && at < end ? `row-${at}` : null);
    return placed;
  }

  /**
   * Bring the elements into their order, with as few moves as the rows that came.
   * @param {readonly HTMLElement[]} elements
   */
  #order(elements) {
    let next = this.list.firstElementChild;
    for (const element of elements) {
      if (element === next) next = next.nextElementSibling;
      else this.list.insertBefore(element, next);
    }
  }

  /** @param {MouseEvent} event */
  #click(event) {
    if (!(event.target instanceof Element)) return;
    const element = event.target.closest(".row");
    const found = [...this.shown].find(([, row]) => row.element === element);
    if (found === undefined) return;
    const node = this.rows.find((each) => each.id === found[0]);
    if (node === undefined) return;
    this.current = node.id;
    if (event.target.closest(".toggle")) this.#freeze(node);
    else if (event.target.closest(".gater")) this.handlers.onGate(node);
    else if (event.target.closest(".asker")) this.handlers.onWhy(node);
    else if (node.kind === "module") this.#setExpanded(node, !this.factsOf(node).expanded);
    else this.handlers.onSelect(node.path, event.ctrlKey || event.metaKey || event.shiftKey);
    this.#draw();
  }

  /** @param {TreeNode} node */
  #freeze(node) {
    const row = this.shown.get(node.id);
    if (row !== undefined) this.handlers.onFreeze(node, row.toggle.element);
  }

  /**
   * @param {TreeNode} node
   * @param {boolean} expanded
   */
  #setExpanded(node, expanded) {
    this.handlers.onCollapse(node.path, !expanded);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this.rows.findIndex((node) => node.id === this.current);
    if (at < 0) return;
    const page = Math.max(1, Math.floor(this.body.clientHeight / ROW_HEIGHT) - 1);
    const node = this.rows[at];
    /** @type {Record<string, () => void>} */
    const actions = {
      ArrowDown: () => this.#step(at + 1),
      ArrowUp: () => this.#step(at - 1),
      PageDown: () => this.#step(at + page),
      PageUp: () => this.#step(at - page),
      Home: () => this.#step(0),
      End: () => this.#step(this.rows.length - 1),
      ArrowRight: () => this.#open(node, at),
      ArrowLeft: () => this.#close(node),
      Enter: () => this.#freeze(node),
      " ": () => this.#freeze(node),
      g: () => this.handlers.onGate(node),
      w: () => this.handlers.onWhy(node),
      p: () => node.kind === "parameter" && this.handlers.onSelect(node.path, true),
    };
    const action = actions[event.key];
    if (action === undefined) return;
    event.preventDefault();
    action();
  }

  /** @param {number} row */
  #step(row) {
    const node = this.rows[Math.min(this.rows.length - 1, Math.max(0, row))];
    if (node !== undefined) this.goTo(node.id);
  }

  /**
   * @param {TreeNode} node
   * @param {number} at
   */
  #open(node, at) {
    if (node.kind !== "module") return;
    if (this.factsOf(node).expanded) this.#step(at + 1);
    else this.#setExpanded(node, true);
  }

  /** @param {TreeNode} node */
  #close(node) {
    if (node.kind === "module" && this.factsOf(node).expanded) this.#setExpanded(node, false);
    else if (node.parent !== null) this.goTo(node.parent.id);
  }
}
