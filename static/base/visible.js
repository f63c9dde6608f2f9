/**
 * Text from a job with nothing hidden in it: a character that is not seen, or that turns its
 * neighbours round (U+202E), becomes a symbol, so that no name can pass for another.
 */

const C0 = /[\u0000-\u001f\u007f]/g;
const UNSEEN = /[\u0080-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
const SYMBOL_FOR_NULL = 0x2400;
const SYMBOL_FOR_DELETE = "\u2421";
const DELETE = 0x7f;

/** @param {string} text */
export function visible(text) {
  return text.replace(C0, pictureOf).replace(UNSEEN, numberOf);
}

/** @param {string} character */
function pictureOf(character) {
  const code = character.charCodeAt(0);
  return code === DELETE ? SYMBOL_FOR_DELETE : String.fromCharCode(SYMBOL_FOR_NULL + code);
}

/** @param {string} character */
function numberOf(character) {
  return `⟨U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
}
