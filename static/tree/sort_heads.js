/**
 * The heads of the columns that the tree can be sorted by: a click sorts, largest first, then smallest
 * first, then not.
 */
import { setAttribute } from "../base/dom.js";

export class SortHeads {
  /**
   * @param {HTMLElement} grid
   * @param {(column: "grad_norm" | "update_ratio") => void} onSort
   */
  constructor(grid, onSort) {
    this.grid = grid;
    this.heads = /** @type {HTMLElement[]} */ ([...grid.querySelectorAll("[data-sort]")]);
    for (const head of this.heads) {
      const column = head.dataset["sort"] === "update_ratio" ? "update_ratio" : "grad_norm";
      head.querySelector("button")?.addEventListener("click", () => onSort(column));
    }
  }

  /** @param {string} sort as the view has it */
  show(sort) {
    this.grid.classList.toggle("sorted", sort !== "");
    for (const head of this.heads) {
      const column = head.dataset["sort"];
      const order = sort === column ? "ascending" : sort === `-${column}` ? "descending" : null;
      setAttribute(head, "aria-sort", order);
    }
  }
}
