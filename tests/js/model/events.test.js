/** Events as the page keeps them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventLabel, EVENTS_KEPT, mergeEvents, openAlerts } from "../../../static/model/events.js";

/**
 * @param {number} id
 * @param {object} [changes]
 * @returns {import("../../../static/wire.js").EventRow}
 */
function event(id, changes = {}) {
  const row = { kind: "spike", level: "alert", time: 1, step: id, last_step: id, parameters: [], count: 0 };
  return /** @type {any} */ ({ id, sentence: "", figures: {}, dismissed: null, ...row, ...changes });
}

test("newer rows take the place of known ones, newest first, and the oldest are forgotten", () => {
  const grown = event(2, { last_step: 9 });
  assert.deepEqual(mergeEvents([event(2), event(1)], [event(3), grown]), [event(3), grown, event(1)]);
  const many = Array.from({ length: EVENTS_KEPT + 5 }, (_, i) => event(i + 1));
  assert.equal(mergeEvents([], many).length, EVENTS_KEPT);
  assert.equal(mergeEvents([], many).at(-1)?.id, 6);
});

test("alerts count until somebody puts them aside", () => {
  assert.equal(openAlerts([event(3), event(2, { dismissed: 5 }), event(1, { level: "note" })]), 1);
});

test("a kind has a word, and one of a newer server its own name", () => {
  assert.equal(eventLabel("not_moving"), "not moving");
  assert.equal(eventLabel("toString"), "toString");
});
