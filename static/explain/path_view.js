/**
 * The gradient's way from the loss back to a parameter, drawn as a line with stations.
 *
 * @typedef {import("../wire.js").Station} Station
 * @typedef {import("./gradient_path.js").PathRow} PathRow
 */
import { element, setName } from "../base/dom.js";
import { plural } from "../base/format.js";
import { visible } from "../base/visible.js";
import { pathRows, pathSentence, shortLocation } from "./gradient_path.js";

/**
 * @param {readonly Station[]} path
 * @param {number} room for so many stations
 */
export function pathView(path, room) {
  const heading = element("h3", {}, "The gradient’s way, from the loss back");
  const box = element("div", { class: "way" }, heading);
  if (path.length === 0) {
    box.append(element("p", { class: "muted" }, "No way from the loss to it was seen."));
    return box;
  }
  const list = element("ol", { class: "path", "aria-label": pathSentence(path) });
  const draw = (/** @type {number} */ most) =>
    list.replaceChildren(...pathRows(path, most).map((row) => rowView(row, () => draw(Infinity))));
  draw(room);
  box.append(list);
  return box;
}

/**
 * @param {PathRow} row
 * @param {() => void} onUnfold
 */
function rowView(row, onUnfold) {
  if (row.station === null) return foldedView(row.folded, row.flow, onUnfold);
  const { label, kind, flow, where } = row.station;
  const name = element("span", { class: "name" });
  setName(name, kind === "call" ? label.replaceAll("`", "") : label);
  const item = element("li", { "data-flow": flow, "data-kind": kind }, element("span", { class: "rail", "aria-hidden": "true" }), name);
  if (flow === "stops") item.append(element("span", { class: "verb" }, "stops here"));
  else if (flow === "turns") item.append(element("span", { class: "verb" }, "turns into NaN or infinity here"));
  else if (kind === "parameter") item.append(element("span", { class: "verb" }, kind));
  if (where !== null) item.append(element("span", { class: "where mono", title: visible(where) }, visible(shortLocation(where))));
  return item;
}

/**
 * @param {number} count
 * @param {Station["flow"]} flow
 * @param {() => void} onUnfold
 */
function foldedView(count, flow, onUnfold) {
  const button = element("button", { type: "button", class: "link" }, `${plural(count, "more station")}`);
  button.addEventListener("click", onUnfold);
  return element("li", { "data-flow": flow, "data-kind": "folded" }, element("span", { class: "rail", "aria-hidden": "true" }), button);
}
