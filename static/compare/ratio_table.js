/**
 * The table of gradient norms side by side; so many rows as a person can read.
 *
 * @typedef {import("./compared_run.js").ComparedRun} ComparedRun
 * @typedef {import("./norm_ratios.js").NormCell} NormCell
 */
import { element } from "../base/dom.js";
import { formatNumber } from "../base/format.js";
import { visible } from "../base/visible.js";
import { runHeads } from "./difference_table.js";
import { normRows } from "./norm_ratios.js";

/** Rows in the page; the filter reaches the others. */
export const MOST_ROWS = 200;

/**
 * @param {HTMLElement} table
 * @param {readonly ComparedRun[]} runs
 * @param {(name: string) => boolean} matches
 * @returns {{shown: number, matching: number}} how many rows there are
 */
export function renderRatios(table, runs, matches) {
  const rows = normRows(runs).filter(({ name }) => matches(name));
  const shown = rows.slice(0, MOST_ROWS);
  const head = element("tr", {}, element("th", { scope: "col" }, "Parameter"), ...runHeads(runs));
  const body = shown.map(({ name, cells }) =>
    element(
      "tr",
      {},
      element("th", { scope: "row", class: "parameter", title: visible(name) }, visible(name)),
      ...cells.map((cell, place) => normCell(cell, place > 0)),
    ),
  );
  table.replaceChildren(element("thead", {}, head), element("tbody", {}, ...body));
  return { shown: shown.length, matching: rows.length };
}

/**
 * @param {NormCell} cell
 * @param {boolean} isCompared is it held against the first run?
 */
function normCell({ norm, state, doublings }, isCompared) {
  if (state === "") return element("td", { class: "number none" }, "not there");
  if (norm === null || norm === 0) return element("td", { class: "number none" }, state);
  const ratio = isCompared && doublings !== null ? ` ×${formatNumber(2 ** doublings)}` : "";
  const far = doublings !== null && Math.abs(doublings) >= 1 ? { "data-far": doublings > 0 ? "more" : "less" } : {};
  return element("td", { class: "number", ...far }, formatNumber(norm), element("span", { class: "ratio" }, ratio));
}
