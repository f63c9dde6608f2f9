/**
 * What the page that compares shows, as its address has it.
 *
 * @typedef {import("./alignment.js").Align} Align
 * @typedef {import("./sides.js").Side} Side
 *
 * @typedef {object} CompareView
 * @property {readonly Side[]} sides
 * @property {Align} align
 * @property {string} against the side whose ratio to the first is drawn, as an address has it; "" for the second
 * @property {string} within what the ratio is opened to, as a row is called; "" for the whole model
 */
import { rooted } from "../base/root.js";
import { ALIGNS, alignOf } from "./alignment.js";
import { compareQuery, namedSides } from "./sides.js";

/**
 * @param {string} search the query string
 * @returns {CompareView}
 */
export function readCompareView(search) {
  const query = new URLSearchParams(search);
  return { sides: namedSides(search), align: alignOf(query.get("align")), against: query.get("against") ?? "", within: query.get("within") ?? "" };
}

/** The address of a view. @param {CompareView} view */
export function compareViewLink({ sides, align, against, within }) {
  const query = compareQuery(sides);
  if (align !== ALIGNS[0]) query.set("align", align);
  if (against !== "") query.set("against", against);
  if (within !== "") query.set("within", within);
  return rooted(`/compare?${query}`);
}
