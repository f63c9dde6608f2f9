/**
 * The filter box: words that must all match.
 *
 * A word is a piece of the name (`conv`, case does not matter), a glob over the whole name
 * (`encoder.*.weight`), `state:absent` (several with commas, or `state:trouble`), `cause:detached`
 * (several with commas), `is:alert` for what is wrong and told unasked, or `is:note`.
 *
 * @typedef {object} Known what a word can ask for beside the name
 * @property {string} state
 * @property {string | null} cause
 * @property {boolean} alert
 * @property {boolean} note
 *
 * @typedef {(name: string, known: Known) => boolean} Predicate
 */
import { wordMatcher } from "../base/glob.js";
import { TROUBLES } from "../model/states.js";

export const STATE_PREFIX = "state:";
export const CAUSE_PREFIX = "cause:";
export const ALERT_WORD = "is:alert";
export const NOTE_WORD = "is:note";

/**
 * The predicate of a filter text, or null when the text asks for nothing.
 * @param {string} text
 * @returns {Predicate | null}
 */
export function parseFilter(text) {
  const predicates = text.split(/\s+/).filter(Boolean).map(parseWord);
  if (predicates.length === 0) return null;
  return (name, known) => predicates.every((matches) => matches(name, known));
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
    return (_name, { state }) => wanted.has(state);
  }
  if (word.startsWith(CAUSE_PREFIX)) {
    const wanted = new Set(word.slice(CAUSE_PREFIX.length).split(","));
    return (_name, { cause }) => cause !== null && wanted.has(cause);
  }
  if (word === ALERT_WORD) return (_name, { alert }) => alert;
  if (word === NOTE_WORD) return (_name, { note }) => note;
  return wordMatcher(word);
}

/** @param {string} state */
export function stateWord(state) {
  return STATE_PREFIX + state;
}

/** @param {string} cause */
export function causeWord(cause) {
  return CAUSE_PREFIX + cause;
}

/**
 * The text with its words of a state, a cause, alerts or notes replaced by one, or by none when it is already that one.
 * @param {string} text
 * @param {string} word
 */
export function toggleWord(text, word) {
  const words = text.split(/\s+/).filter(Boolean);
  const rest = words.filter((each) => !isTroubleWord(each));
  return (words.includes(word) ? rest : [...rest, word]).join(" ");
}

/** @param {string} word */
function isTroubleWord(word) {
  return word.startsWith(STATE_PREFIX) || word.startsWith(CAUSE_PREFIX) || word === ALERT_WORD || word === NOTE_WORD;
}
