/**
 * The events that the page knows: what happened in the run, by kind.
 *
 * @typedef {import("../wire.js").EventRow} EventRow
 * @typedef {import("../wire.js").RunRow} RunRow
 *
 * @typedef {object} EventFilter which events are listed; empty texts ask for nothing
 * @property {string} kind
 * @property {string} level
 * @property {string} text a part of the sentence, in upper or lower case
 * @property {boolean} dismissed those that were dismissed, too
 */
import { formatCount, plural } from "../base/format.js";

/** How many events the page keeps: twice as many as the server sends at connect. */
export const EVENTS_KEPT = 200;
/** Around an event such a part of the run is shown on either side, and at least so many steps. */
const SHARE_AROUND = 0.01;
const LEAST_AROUND = 20;

/** @type {{readonly [K in EventRow["kind"]]: string}} the word of each kind */
const LABELS = Object.freeze({
  nonfinite: "non-finite",
  spike: "spike",
  vanished: "vanished",
  absent: "absent",
  dead: "dead",
  not_moving: "not moving",
  drift: "drift",
  command: "command",
  gate: "gate",
  alert: "told by the job",
  run: "run",
});

export const KINDS = Object.freeze(Object.keys(LABELS));
export const LEVELS = Object.freeze(["alert", "note"]);

/**
 * The word of a kind; one of a newer server is said as it is named.
 * @param {string} kind
 */
export function eventLabel(kind) {
  return Object.hasOwn(LABELS, kind) ? LABELS[/** @type {EventRow["kind"]} */ (kind)] : kind;
}

/**
 * What an event is, in a word or two; what the job itself told is an alert or a note.
 * @param {EventRow} event
 */
export function eventWord({ kind, level }) {
  return kind === "alert" ? level : eventLabel(kind);
}

/**
 * The steps of an event in words: step 12, or steps 12 to 40.
 * @param {EventRow} event
 */
export function eventSteps({ step, last_step }) {
  return last_step > step ? `steps ${formatCount(step)} to ${formatCount(last_step)}` : `step ${formatCount(step)}`;
}

/**
 * Is an event one of those that a filter lists? The server answers alike: `event_rows`.
 * @param {EventRow} event
 * @param {EventFilter} filter
 */
export function passesFilter(event, { kind, level, text, dismissed }) {
  if (kind !== "" && event.kind !== kind) return false;
  if (level !== "" && event.level !== level) return false;
  if (!dismissed && event.dismissed !== null) return false;
  return event.sentence.toLowerCase().includes(text.toLowerCase());
}

/**
 * The steps to show an event among: what was just before and after it, in a run that has come so far.
 * @param {EventRow} event
 * @param {number} reached the latest step of the run
 * @returns {[number, number]}
 */
export function rangeAround({ step, last_step }, reached) {
  const around = Math.max(LEAST_AROUND, Math.ceil(reached * SHARE_AROUND));
  return [Math.max(0, step - around), last_step + around];
}

/**
 * Known events with newer rows put in, newest first; the oldest are forgotten.
 * @param {readonly EventRow[]} known
 * @param {readonly EventRow[]} rows
 */
export function mergeEvents(known, rows) {
  const byId = new Map(known.map((event) => [event.id, event]));
  for (const row of rows) byId.set(row.id, row);
  return [...byId.values()].sort((a, b) => b.id - a.id).slice(0, EVENTS_KEPT);
}

/**
 * The alerts that nobody has dismissed.
 * @param {readonly EventRow[]} events
 */
export function openAlerts(events) {
  return events.filter(({ level, dismissed }) => level === "alert" && dismissed === null);
}

/**
 * How many alerts nobody has dismissed, and the step to which the latest reaches. The run's row counts also
 * those that the page does not know, a little later than the others come.
 * @param {readonly EventRow[]} events the latest, newest first, numbered from 1 on
 * @param {RunRow | null} run
 * @returns {{count: number, last: number}}
 */
export function openAlertsOf(events, run) {
  const complete = events.length === 0 || events[events.length - 1].id === 1;
  if (!complete && run !== null && run.last_alert !== null) return { count: run.open_alerts, last: run.last_alert };
  const open = openAlerts(events);
  return { count: open.length, last: Math.max(...open.map(({ last_step }) => last_step)) };
}

/**
 * What has happened, in short: the open alerts, or else all that happened; "" when nothing did.
 * @param {readonly EventRow[]} events the latest, newest first, numbered from 1 on
 * @param {RunRow | null} run
 */
export function eventSummary(events, run) {
  if (events.length === 0) return "";
  const open = openAlertsOf(events, run);
  if (open.count > 0) return openAlertWords(open);
  const last = Math.max(...events.map(({ last_step }) => last_step));
  return `${plural(events[0].id, "event")}, ${lastStepWords(events[0].id, last)}`;
}

/**
 * In words, some at least: "2 open alerts, the last at step 120,114".
 * @param {{count: number, last: number}} open
 */
export function openAlertWords({ count, last }) {
  return `${plural(count, "open alert")}, ${lastStepWords(count, last)}`;
}

/** @param {number} count @param {number} last */
function lastStepWords(count, last) {
  return `${count > 1 ? "the last " : ""}at step ${formatCount(last)}`;
}
