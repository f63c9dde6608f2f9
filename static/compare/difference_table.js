/**
 * The table of what differs between runs.
 *
 * @typedef {import("./compared_run.js").ComparedRun} ComparedRun
 */
import { element } from "../base/dom.js";
import { visible } from "../base/visible.js";
import { differences } from "./differences.js";

/**
 * @param {HTMLElement} table
 * @param {readonly ComparedRun[]} runs
 */
export function renderDifferences(table, runs) {
  const head = element("tr", {}, element("td"), ...runHeads(runs));
  const rows = differences(runs).map(({ name, values, differs }) =>
    element(
      "tr",
      differs ? { class: "differs" } : {},
      element("th", { scope: "row" }, visible(name)),
      ...values.map((value) => element("td", {}, visible(value))),
    ),
  );
  table.replaceChildren(element("thead", {}, head), element("tbody", {}, ...rows));
}

/**
 * A head for each run, with its colour.
 * @param {readonly ComparedRun[]} runs
 */
export function runHeads(runs) {
  return runs.map(({ run, label }, place) =>
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
