/**
 * Text from a job with nothing hidden in it: a character that is not seen, or that turns its
 * neighbours round (U+202E), becomes a symbol, so that no name can pass for another. What joins or
 * colours an emoji stays in it.
 */

const C0 = /[\u0000-\u001f\u007f]/g;
const BLANK = /(?! )[\p{Cc}\p{Cf}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/u.source;
const IN_EMOJI = /(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f])[\u200d\ufe0f]/u.source;
const UNSEEN = new RegExp(`(?!${IN_EMOJI})${BLANK}`, "gu");
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
  return `⟨U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
}
