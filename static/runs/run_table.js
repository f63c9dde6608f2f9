/**
 * The table of runs: one row each that stays the same element while its run is listed, the heads that sort,
 * and the boxes that choose runs.
 *
 * @typedef {import("../wire.js").RunRow} RunRow
 */
import { find, setAttribute } from "../base/dom.js";
import { nextRunSort } from "./run_order.js";
import { fillRow, makeRow } from "./run_row.js";

export class RunTable {
  /**
   * @param {HTMLElement} table
   * @param {(sort: string) => void} onSort
   * @param {() => void} onChoose the chosen runs are others now
   */
  constructor(table, onSort, onChoose) {
    this.body = find(table, "tbody");
    this.heads = /** @type {HTMLElement[]} */ ([...table.querySelectorAll("[data-sort]")]);
    this.sort = "";
    /** Of all runs that were listed and are still there. @type {Map<string, HTMLElement>} */
    this.rows = new Map();
    /** @type {readonly string[]} */
    this.listed = [];
    /** The identifiers of the chosen runs, also of those that are not listed. @type {Set<string>} */
    this.chosen = new Set();
    this.all = /** @type {HTMLInputElement} */ (find(table, "thead input"));
    for (const head of this.heads) {
      find(head, "button").addEventListener("click", () => onSort(nextRunSort(this.sort, head.dataset["sort"] ?? "")));
    }
    table.addEventListener("change", ({ target }) => {
      if (!(target instanceof HTMLInputElement)) return;
      if (target === this.all) this.#choose(this.listed, target.checked);
      else this.#choose([target.value], target.checked);
      onChoose();
    });
  }

  /**
   * @param {readonly RunRow[]} runs in their order
   * @param {string} sort
   */
  show(runs, sort) {
    this.sort = sort;
    for (const head of this.heads) {
      const column = head.dataset["sort"];
      setAttribute(head, "aria-sort", sort === column ? "ascending" : sort === `-${column}` ? "descending" : null);
    }
    this.listed = runs.map(({ id }) => id);
    const listed = new Set(this.listed);
    for (const [id, row] of this.rows) if (!listed.has(id)) row.remove();
    runs.forEach((run, i) => {
      const row = this.rows.get(run.id) ?? makeRow(run);
      this.rows.set(run.id, row);
      fillRow(row, run);
      if (this.body.children[i] !== row) this.body.insertBefore(row, this.body.children[i] ?? null);
    });
    this.#check();
  }

  /** Let go of runs that are not there any more. @param {readonly RunRow[]} known */
  keepKnown(known) {
    const ids = new Set(known.map(({ id }) => id));
    for (const id of [...this.chosen]) if (!ids.has(id)) this.chosen.delete(id);
    for (const [id, row] of [...this.rows]) {
      if (ids.has(id)) continue;
      row.remove();
      this.rows.delete(id);
    }
  }

  /**
   * @param {readonly string[]} ids
   * @param {boolean} chosen
   */
  #choose(ids, chosen) {
    for (const id of ids) {
      if (chosen) this.chosen.add(id);
      else this.chosen.delete(id);
    }
    this.#check();
  }

  /** Check the boxes of what is chosen. */
  #check() {
    for (const [id, row] of this.rows) {
      const box = /** @type {HTMLInputElement} */ (find(row, "input"));
      box.checked = this.chosen.has(id);
    }
    const count = this.listed.filter((id) => this.chosen.has(id)).length;
    this.all.checked = count > 0 && count === this.listed.length;
    this.all.indeterminate = count > 0 && count < this.listed.length;
  }
}
