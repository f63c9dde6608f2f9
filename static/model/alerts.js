/**
 * What the pages call an alert and a note: what a job tells unasked, of a parameter or of the whole run.
 *
 * @typedef {import("../wire.js").Alert} Alert
 */
import { causeOf } from "./causes.js";

/**
 * What is wrong, in a few words.
 * @param {string | null} cause
 */
export function causeLabel(cause) {
  return cause === null ? "not explained yet" : causeOf(cause).label;
}

/**
 * The sentence of an alert; one without a cause is an expectation that is broken.
 * @param {Alert} alert
 */
export function alertSentence({ detail }) {
  return detail ?? "The script expects it to train.";
}

/**
 * Behind their number: `2 alerts`.
 * @param {number} count
 */
export function alertLabel(count) {
  return count === 1 ? "alert" : "alerts";
}

/** @param {number} count */
export function noteLabel(count) {
  return count === 1 ? "note" : "notes";
}

/** One sentence for the tooltip. */
export const ALERT_MEANING = "Something does not train as the script expects, or holds for the whole run.";
export const NOTE_MEANING = "The job found this worth knowing; it may be meant.";
