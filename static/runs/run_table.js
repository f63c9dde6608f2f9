/**
 * The table of runs: one row each that stays the same element while its run is listed, the heads that sort,
 * and the boxes that choose runs.
 *
 * @typedef {import("../wire.js").RunRow} RunRow
 * @typedef {import("./run_families.js").Fold} Fold
 * @typedef {import("./run_families.js").Listed} Listed
 */
import { element, find, setAttribute, setText } from "../base/dom.js";
import { chevron } from "../base/glyphs.js";
import { visible } from "../base/visible.js";
import { nextRunSort } from "./run_order.js";
import { CELLS, fillRow, makeRow } from "./run_row.js";

export class RunTable {
  /**
   * @param {HTMLElement} table
   * @param {(sort: string) => void} onSort
   * @param {(family: string) => void} onFold a family is to be opened, or closed
   * @param {() => void} onChoose the chosen runs are others now
   */
  constructor(table, onSort, onFold, onChoose) {
    this.body = find(table, "tbody");
    this.heads = /** @type {HTMLElement[]} */ ([...table.querySelectorAll("[data-sort]")]);
    this.sort = "";
    /** Of all runs that were listed and are still there. @type {Map<string, HTMLElement>} */
    this.rows = new Map();
    /** The rows that open and close families. @type {Map<string, HTMLElement>} */
    this.folds = new Map();
    /** @type {readonly string[]} */
    this.listed = [];
    /** The identifiers of the chosen runs, also of those that are not listed. @type {Set<string>} */
    this.chosen = new Set();
    this.all = /** @type {HTMLInputElement} */ (find(table, "thead input"));
    for (const head of this.heads) {
      find(head, "button").addEventListener("click", () => onSort(nextRunSort(this.sort, head.dataset["sort"] ?? "")));
    }
    table.addEventListener("click", ({ target }) => {
      const fold = target instanceof Element ? target.closest(".fold") : null;
      if (fold instanceof HTMLElement) onFold(fold.dataset["family"] ?? "");
    });
    table.addEventListener("change", ({ target }) => {
      if (!(target instanceof HTMLInputElement)) return;
      if (target === this.all) this.#choose(this.listed, target.checked);
      else this.#choose([target.value], target.checked);
      onChoose();
    });
  }

  /**
   * @param {readonly Listed[]} listed in their order
   * @param {string} sort
   */
  show(listed, sort) {
    this.sort = sort;
    for (const head of this.heads) {
      const column = head.dataset["sort"];
      setAttribute(head, "aria-sort", sort === column ? "ascending" : sort === `-${column}` ? "descending" : null);
    }
    this.listed = listed.map(({ run }) => run.id);
    const lines = listed.flatMap((each) => [this.#row(each), ...(each.fold === null ? [] : [this.#fold(each.fold)])]);
    const kept = new Set(lines);
    for (const line of [...this.body.children]) if (!kept.has(/** @type {HTMLElement} */ (line))) line.remove();
    lines.forEach((line, i) => {
      if (this.body.children[i] !== line) this.body.insertBefore(line, this.body.children[i] ?? null);
    });
    this.#check();
  }

  /** @param {Listed} listed */
  #row({ run, folded }) {
    const row = this.rows.get(run.id) ?? makeRow(run);
    this.rows.set(run.id, row);
    fillRow(row, run);
    setAttribute(row, "data-folded", folded ? "true" : null);
    return row;
  }

  /** @param {Fold} fold */
  #fold({ family, open, words }) {
    const row = this.folds.get(family) ?? makeFold(family);
    this.folds.set(family, row);
    const button = find(row, "button");
    setText(find(button, "span"), visible(words));
    setAttribute(button, "aria-expanded", String(open));
    setAttribute(button, "aria-label", `${visible(words)} (${visible(family)})`);
    return row;
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

/**
 * It has the cells of every row, since a narrow table has fewer columns; what it says goes beyond its own.
 * @param {string} family
 */
function makeFold(family) {
  const button = element("button", { type: "button", class: "fold", "data-family": family }, chevron(), element("span", {}));
  return element("tr", { class: "fold-row" }, element("td", { class: "choose" }), element("td", { class: "folded" }, button), ...CELLS.map((cell) => element("td", { "data-cell": cell })));
}
