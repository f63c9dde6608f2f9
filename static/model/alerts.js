/**
 * What the pages call an alert and a note: what a job tells unasked, of a parameter or of the whole run.
 *
 * @typedef {import("./records.js").UnaskedCause} UnaskedCause
 */
import { causeOf } from "./causes.js";

/** @type {Readonly<Record<UnaskedCause, string>>} what is wrong, for causes that no explanation has */
const LABELS = Object.freeze({
  no_step: "no step is seen",
  not_frozen: "not frozen",
  share: "share of trainable numbers",
  unmeasured: "not measured",
});

/** @type {ReadonlyMap<string, string>} */
const KNOWN = new Map(Object.entries(LABELS));

/**
 * What is wrong, in a few words.
 * @param {string | null} cause
 */
export function causeLabel(cause) {
  if (cause === null) return "not explained yet";
  return KNOWN.get(cause) ?? causeOf(cause).label;
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
