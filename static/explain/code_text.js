/**
 * Lines of code, taken apart for drawing.
 *
 * @typedef {import("../wire.js").Snippet} Snippet
 */
import { visible } from "../base/visible.js";

const TAB = "    ";

/**
 * The lines of a snippet with their numbers, without the indentation that all of them share and
 * without empty ones at its ends.
 * @param {Snippet} source
 * @returns {{number: number, text: string, meant: boolean}[]}
 */
export function sourceLines({ line, first, lines }) {
  const spaced = lines.map((text) => text.replaceAll("\t", TAB).trimEnd());
  const margins = spaced.filter((text) => text !== "").map((text) => text.search(/[^ ]/));
  const shared = margins.length === 0 ? 0 : Math.min(...margins);
  const numbered = spaced.map((text, i) => ({
    number: first + i,
    text: visible(text.slice(shared)),
    meant: first + i === line,
  }));
  const told = (/** @type {{text: string, meant: boolean}} */ { text, meant }) => text !== "" || meant;
  return numbered.slice(numbered.findIndex(told), numbered.findLastIndex(told) + 1);
}
