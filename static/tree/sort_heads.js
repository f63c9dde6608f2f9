/**
 * The heads of the columns that the tree can be sorted by: a click sorts, largest or worst first, then
 * smallest first, then not; one on the names' head always shows the modules in model order.
 *
 * @typedef {import("../model/view_url.js").SortColumn} SortColumn
 */
import { find, setAttribute } from "../base/dom.js";

export class SortHeads {
  /**
   * @param {HTMLElement} grid
   * @param {object} handlers
   * @param {(column: SortColumn) => void} handlers.onSort
   * @param {() => void} handlers.onModelOrder
   */
  constructor(grid, { onSort, onModelOrder }) {
    this.grid = grid;
    this.heads = /** @type {HTMLElement[]} */ ([...grid.querySelectorAll("[data-sort]")]);
    for (const head of this.heads) {
      const column = /** @type {SortColumn} */ (head.dataset["sort"]);
      head.querySelector("button")?.addEventListener("click", () => onSort(column));
    }
    this.names = find(grid, "[data-order] button");
    this.names.addEventListener("click", onModelOrder);
  }

  /** @param {string} sort as the view has it */
  show(sort) {
    this.grid.classList.toggle("sorted", sort !== "");
    setAttribute(this.names, "title", sort === "" ? "Modules and parameters, in model order" : "Click to show the modules, in model order");
    for (const head of this.heads) {
      const column = head.dataset["sort"];
      const order = sort === column ? "ascending" : sort === `-${column}` ? "descending" : null;
      setAttribute(head, "aria-sort", order);
    }
  }
}
