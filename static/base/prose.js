/** Sentences with code in them, as text and as elements. */
import { element } from "./dom.js";
import { visible } from "./visible.js";

/**
 * A sentence with `code` between backticks, in pieces; a single backtick is one.
 * @param {string} sentence
 * @returns {{text: string, code: boolean}[]}
 */
export function codePieces(sentence) {
  return sentence
    .split(/`([^`]+)`/)
    .map((text, i) => ({ text: visible(text), code: i % 2 === 1 }))
    .filter(({ text }) => text !== "");
}

/**
 * Where there can be no elements: in titles, labels and notifications.
 * @param {string} sentence
 */
export function plainProse(sentence) {
  return codePieces(sentence).map(({ text }) => text).join("");
}

/** @param {string} sentence */
export function prose(sentence) {
  return codePieces(sentence).map(({ text, code }) => (code ? element("code", {}, text) : text));
}
