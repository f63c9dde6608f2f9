/**
 * Why a filter finds nothing, and the filters near it that find something.
 *
 * @typedef {(filter: string) => number} Count how many parameters a filter finds
 * @typedef {{filter: string, count: number}} Offer
 * @typedef {{reasons: string[], offers: Offer[]}} NoMatch
 */
import { isGlob } from "../base/glob.js";
import { plural } from "../base/format.js";
import { causeLabel } from "../model/alerts.js";
import { STATES } from "../model/states.js";
import { ALERT_WORD, CAUSE_PREFIX, NOTE_WORD, STATE_PREFIX, stateWord } from "./filter.js";

const MOST_OFFERS = 4;
const SHORTEST = 2;

/**
 * @param {string} filter that finds nothing
 * @param {Count} count
 * @returns {NoMatch}
 */
export function explainNoMatch(filter, count) {
  const words = [...new Set(filter.split(/\s+/).filter(Boolean))];
  const vain = words.filter((word) => count(word) === 0);
  const reasons = vain.length > 0 ? vain.map(reasonOf) : [togetherOf(words, count)];
  const without = (/** @type {readonly string[]} */ left) => words.filter((word) => !left.includes(word)).join(" ");
  const instead = (/** @type {string} */ word, /** @type {string} */ near) =>
    words.map((each) => (each === word ? near : each)).filter((each) => each === near || !vain.includes(each)).join(" ");
  const near = vain.flatMap((word) => nearWords(word, count).map((other) => instead(word, other)));
  const fewer = vain.length > 0 ? [without(vain)] : words.map((word) => without([word]));
  const offers = [...new Set([...near, ...fewer])].filter(Boolean).map((each) => ({ filter: each, count: count(each) }));
  return { reasons, offers: offers.filter((offer) => offer.count > 0).slice(0, MOST_OFFERS) };
}

/** Why a word by itself finds nothing. @param {string} word */
function reasonOf(word) {
  if (word.startsWith(STATE_PREFIX)) return stateReason(word.slice(STATE_PREFIX.length).split(","));
  if (word.startsWith(CAUSE_PREFIX)) {
    const causes = word.slice(CAUSE_PREFIX.length).split(",").map(causeLabel);
    return `No parameter has the cause “${causes.join("” or “")}” now.`;
  }
  if (word === ALERT_WORD) return "No parameter has an alert now.";
  if (word === NOTE_WORD) return "No parameter has a note now.";
  if (isGlob(word)) return `“${word}” fits no whole name.`;
  return `No name has “${word}” in it.`;
}

/** @param {readonly string[]} asked */
function stateReason(asked) {
  /** @type {readonly string[]} */
  const known = ["trouble", ...STATES.map(({ name }) => name)];
  const unknown = asked.filter((name) => !known.includes(name));
  if (unknown.length === 0) return `No parameter is ${asked.map((name) => (name === "trouble" ? "in trouble" : name)).join(" or ")} now.`;
  return `There is no state “${unknown.join("” or “")}”. The states are ${known.slice(1).join(", ")}; “trouble” is several of them.`;
}

/**
 * @param {readonly string[]} words each of which finds something by itself
 * @param {Count} count
 */
function togetherOf(words, count) {
  const each = words.map((word) => `“${word}” is true of ${plural(count(word), "parameter")}`);
  return `${each.join(", ")}; of none all at once.`;
}

/**
 * Words that are written much like one that finds nothing.
 * @param {string} word
 * @param {Count} count
 */
function nearWords(word, count) {
  if (word.startsWith(STATE_PREFIX)) return STATES.map(({ name }) => stateWord(name)).filter((each) => count(each) > 0);
  if (word.startsWith(CAUSE_PREFIX) || word === ALERT_WORD || word === NOTE_WORD) return [];
  if (isGlob(word)) return [`*${word}*`.replaceAll("**", "*")];
  const letters = Array.from(word);
  for (let length = letters.length - 1; length >= SHORTEST; length -= 1) {
    const beginning = letters.slice(0, length).join("");
    if (count(beginning) > 0) return [beginning];
  }
  return [];
}
