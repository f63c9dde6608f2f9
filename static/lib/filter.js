/**
 * The filter box: words that must all match.
 *
 * A word is a piece of the name (`conv`, case does not matter), a glob over the whole name
 * (`encoder.*.weight`), or `state:absent` (several with commas, or `state:trouble`).
 *
 * @typedef {(name: string, state: string) => boolean} Predicate
 */
import { globMatcher, isGlob } from "./glob.js";
import { TROUBLES } from "./states.js";

const STATE_PREFIX = "state:";

/**
 * The predicate of a filter text, or null when the text asks for nothing.
 * @param {string} text
 * @returns {Predicate | null}
 */
export function parseFilter(text) {
  const predicates = text.split(/\s+/).filter(Boolean).map(parseWord);
  if (predicates.length === 0) return null;
  return (name, state) => predicates.every((matches) => matches(name, state));
}

/**
 * @param {string} word
 * @returns {Predicate}
 */
function parseWord(word) {
  if (word.startsWith(STATE_PREFIX)) {
    const asked = word.slice(STATE_PREFIX.length).split(",");
    /** @type {Set<string>} */
    const wanted = new Set(asked.flatMap((state) => (state === "trouble" ? [...TROUBLES] : state)));
    return (_name, state) => wanted.has(state);
  }
  if (isGlob(word)) {
    const matches = globMatcher(word);
    return (name) => matches(name);
  }
  const piece = word.toLowerCase();
  return (name) => name.toLowerCase().includes(piece);
}

/**
 * The text with its state words replaced by one, or by none when it is already that one.
 * @param {string} text
 * @param {string} state
 */
export function toggleStateWord(text, state) {
  const words = text.split(/\s+/).filter(Boolean);
  const word = `${STATE_PREFIX}${state}`;
  const rest = words.filter((each) => !each.startsWith(STATE_PREFIX));
  return (words.includes(word) ? rest : [...rest, word]).join(" ");
}
