/** The closed gates of a parameter. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { closedGates } from "../../../static/model/closed_gates.js";
import { gateRow } from "../support/rows.js";

/**
 * @param {number} step
 * @param {number} gate
 * @param {boolean} closed
 * @returns {import("../../../static/wire.js").EventRow}
 */
function told(step, gate, closed) {
  return /** @type {any} */ ({ id: step, kind: "gate", level: "note", step, figures: { gate, closed } });
}

const closed = gateRow(3, { closed: true, parameters: ["a.weight"] });

test("only closed gates that name the parameter, or that the server named with it, keep its gradient", () => {
  const gates = [closed, { ...closed, id: 4, closed: false }, { ...closed, id: 5, paused: true }, gateRow(6, { closed: true })];
  const ids = (/** @type {string[]} */ names, /** @type {number | null} */ gate) =>
    closedGates({ names, gate }, gates, []).map((each) => each.gate.id);
  assert.deepEqual(ids(["tied.weight", "a.weight"], null), [3]);
  assert.deepEqual(ids(["b.weight"], null), []);
  assert.deepEqual(ids(["b.weight"], 6), [6]);
});

test("since when one is closed is what the latest event about it says", () => {
  const since = (/** @type {import("../../../static/wire.js").EventRow[]} */ ...events) =>
    closedGates({ names: ["a.weight"], gate: null }, [closed], events)[0].since;
  assert.equal(since(told(90, 4, true), told(80, 3, true), told(70, 3, false)), 80);
  assert.equal(since(told(90, 3, false), told(80, 3, true)), null);
  assert.equal(since(), null);
});
