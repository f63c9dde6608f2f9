/**
 * The events that the page knows: what happened in the run, by kind.
 *
 * @typedef {import("../wire.js").EventRow} EventRow
 */

/** How many events the page keeps: twice as many as the server sends at connect. */
export const EVENTS_KEPT = 200;

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
  alert: "alert",
  run: "run",
});

/**
 * The word of a kind; one of a newer server is said as it is named.
 * @param {string} kind
 */
export function eventLabel(kind) {
  return Object.hasOwn(LABELS, kind) ? LABELS[/** @type {EventRow["kind"]} */ (kind)] : kind;
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
 * How many alerts nobody has put aside.
 * @param {readonly EventRow[]} events
 */
export function openAlerts(events) {
  return events.filter(({ level, dismissed }) => level === "alert" && dismissed === null).length;
}
