/**
 * The table of what differs between runs; what is the same in all is folded away.
 *
 * @typedef {import("./compared_run.js").ComparedRun} ComparedRun
 * @typedef {import("./differences.js").Difference} Difference
 */
import { element, find } from "../base/dom.js";
import { plural } from "../base/format.js";
import { chevron } from "../base/glyphs.js";
import { Memo } from "../base/memo.js";
import { visible } from "../base/visible.js";
import { differences } from "./differences.js";

export class DifferenceTable {
  /**
   * @param {HTMLElement} table
   * @param {HTMLElement} fold the button that shows and hides what is the same
   */
  constructor(table, fold) {
    this.table = table;
    this.fold = fold;
    this.open = false;
    this.drawn = new Memo();
    fold.addEventListener("click", () => {
      this.open = !this.open;
      this.#show();
    });
  }

  /** @param {readonly ComparedRun[]} runs */
  render(runs) {
    const rows = differences(runs);
    if (!this.drawn.differs(JSON.stringify([rows, runs.map(({ label }) => label)]))) return;
    const [different, same] = [true, false].map((wanted) => rows.filter(({ differs }) => differs === wanted));
    this.table.replaceChildren(
      element("thead", {}, element("tr", {}, element("td"), ...runHeads(runs))),
      element("tbody", {}, ...different.map(rowElement), ...(different.length === 0 ? [nothing(runs.length)] : [])),
      element("tbody", { class: "same" }, ...same.map(rowElement)),
    );
    this.fold.replaceChildren(chevron(), `${plural(same.length, "row")} ${same.length === 1 ? "is" : "are"} the same`);
    this.fold.hidden = same.length === 0;
    this.#show();
  }

  #show() {
    find(this.table, ".same").hidden = !this.open;
    this.fold.setAttribute("aria-expanded", String(this.open));
  }
}

/** @param {Difference} row */
function rowElement({ name, values, differs }) {
  return element(
    "tr",
    differs ? { class: "differs" } : {},
    element("th", { scope: "row" }, visible(name)),
    ...values.map((value) => element("td", {}, visible(value))),
  );
}

/** @param {number} runs */
function nothing(runs) {
  return element("tr", {}, element("td", { class: "none", colspan: String(runs + 1) }, "Nothing that is known of them differs."));
}

/**
 * A head for each run, with its colour.
 * @param {readonly ComparedRun[]} runs
 */
export function runHeads(runs) {
  return runs.map(({ run, label, place }) =>
    element("th", { scope: "col", class: "run", title: run.id }, swatch(place), visible(label)),
  );
}

/**
 * The mark of a run, in the colour of its lines.
 * @param {number} place
 */
export function swatch(place) {
  const mark = element("span", { class: "swatch", "aria-hidden": "true" });
  mark.style.background = `var(--series-${place + 1})`;
  return mark;
}
