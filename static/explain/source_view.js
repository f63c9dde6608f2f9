/**
 * A place in the user's code, to be copied, and the lines around it.
 *
 * @typedef {import("../wire.js").Snippet} Snippet
 */
import { element, setName } from "../base/dom.js";
import { visible } from "../base/visible.js";
import { sourceLines } from "./code_text.js";

const SAID_MS = 2000;

/**
 * @param {string | null} where
 * @param {Snippet | null} source
 */
export function sourceView(where, source) {
  const parts = where === null ? [] : [placeView(where)];
  if (source !== null) parts.push(linesView(source));
  return parts;
}

/** @param {string} where */
function placeView(where) {
  const name = element("span", { class: "name mono" });
  setName(name, where);
  const copy = element("button", { type: "button", class: "button quiet copy", title: "Copy the place" }, "Copy");
  copy.addEventListener("click", () => copyText(visible(where), copy, name));
  return element("p", { class: "place" }, name, copy);
}

/**
 * A page that did not come over HTTPS or from this machine has no clipboard: then the text is selected.
 * @param {string} text
 * @param {HTMLElement} button
 * @param {HTMLElement} shown
 */
async function copyText(text, button, shown) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    getSelection()?.selectAllChildren(shown);
    button.textContent = "Selected";
  }
  setTimeout(() => (button.textContent = "Copy"), SAID_MS);
}

/** @param {Snippet} source */
function linesView(source) {
  const lines = sourceLines(source).map(({ number, text, meant }) =>
    element(
      "div",
      meant ? { class: "line", "aria-current": "true" } : { class: "line" },
      element("span", { class: "number" }, String(number)),
      element("span", { class: "mark", "aria-hidden": "true" }, meant ? "▸" : ""),
      element("code", {}, text),
    ),
  );
  const label = `Source of ${visible(source.file)}, line ${source.line}`;
  return element("div", { class: "source mono", role: "group", "aria-label": label, tabindex: "0" }, element("div", { class: "lines" }, ...lines));
}
