/**
 * Events as the page keeps them.
 *
 * @typedef {import("../../../static/wire.js").RunRow} RunRow
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventLabel, EVENTS_KEPT, eventSteps, eventSummary, mergeEvents, openAlerts, passesFilter, rangeAround } from "../../../static/model/events.js";
import { event } from "../support/events.js";

test("newer rows take the place of known ones, newest first, and the oldest are forgotten", () => {
  const grown = event(2, { last_step: 9 });
  assert.deepEqual(mergeEvents([event(2), event(1)], [event(3), grown]), [event(3), grown, event(1)]);
  const many = Array.from({ length: EVENTS_KEPT + 5 }, (_, i) => event(i + 1));
  assert.equal(mergeEvents([], many).length, EVENTS_KEPT);
  assert.equal(mergeEvents([], many).at(-1)?.id, 6);
});

test("alerts are open until somebody dismisses them", () => {
  assert.deepEqual(openAlerts([event(3), event(2, { dismissed: 5 }), event(1, { level: "note" })]), [event(3)]);
});

test("a kind has a word, and one of a newer server its own name", () => {
  assert.equal(eventLabel("not_moving"), "not moving");
  assert.equal(eventLabel("toString"), "toString");
});

test("an event is of one step, or of several", () => {
  assert.equal(eventSteps(event(1200)), "step 1,200");
  assert.equal(eventSteps(event(3, { last_step: 4000 })), "steps 3 to 4,000");
});

test("a filter lists what is all that it asks for", () => {
  const all = { kind: "", level: "", text: "", dismissed: false };
  const row = event(1, { sentence: "NaN in conv.weight." });
  assert.ok(passesFilter(row, all));
  assert.ok(passesFilter(row, { ...all, kind: "spike", level: "alert", text: "nan IN" }));
  assert.ok(!passesFilter(row, { ...all, kind: "dead" }));
  assert.ok(!passesFilter(row, { ...all, level: "note" }));
  assert.ok(!passesFilter(row, { ...all, text: "bias" }));
  const dismissed = event(1, { dismissed: 5 });
  assert.ok(!passesFilter(dismissed, all));
  assert.ok(passesFilter(dismissed, { ...all, dismissed: true }));
});

test("an event is shown among a hundredth of the run on either side, and 20 steps at least", () => {
  assert.deepEqual(rangeAround(event(120_114), 200_000), [118_114, 122_114]);
  assert.deepEqual(rangeAround(event(5, { last_step: 9 }), 300), [0, 29]);
});

test("what happened in short is the open alerts, or else everything", () => {
  const begun = event(1, { level: "note", step: 0, last_step: 0 });
  const run = /** @type {RunRow} */ ({ open_alerts: 40, last_alert: 120_114 });
  assert.equal(eventSummary([], run), "");
  assert.equal(eventSummary([begun], null), "1 event, at step 0");
  assert.equal(eventSummary([event(3, { level: "note", step: 90, last_step: 90 }), event(2, { dismissed: 7 }), begun], run), "3 events, the last at step 90");
  assert.equal(eventSummary([event(3, { level: "note" }), event(2), begun], run), "1 open alert, at step 2");
});

test("of more events than the page knows, the run's row counts the open alerts", () => {
  const known = [event(9000, { level: "note", step: 130_000, last_step: 130_000 }), event(8999, { dismissed: 7 })];
  const run = (/** @type {number} */ open_alerts, /** @type {number | null} */ last_alert) => /** @type {RunRow} */ ({ open_alerts, last_alert });
  assert.equal(eventSummary(known, run(40, 120_114)), "40 open alerts, the last at step 120,114");
  assert.equal(eventSummary(known, run(0, null)), "9,000 events, the last at step 130,000");
});
