import assert from "node:assert/strict";
import { test } from "node:test";

import { drifted, oppositeOf, undoable } from "../../../static/commands/undo.js";
import { commandRow, explainCommand, gateCommand, gateRow, ungateCommand } from "../support/rows.js";

const DONE = Object.freeze({ state: /** @type {const} */ ("verified"), times: { requested: 1, applied: 2 } });

/** @typedef {import("../../../static/model/records.js").CommandRow} CommandRow */

test("what drifted is a trouble until a later command takes up its target", () => {
  const lost = commandRow(1, { state: "drifted", reason: "script moved it" });
  const ids = (/** @type {CommandRow[]} */ ...rows) => drifted(rows).map(({ id }) => id);
  assert.deepEqual(ids(lost), [1]);
  assert.deepEqual(ids(commandRow(2, { target: "head" }), lost), [1]);
  assert.deepEqual(ids(commandRow(2, { kind: "thaw", state: "applied" }), lost), []);
  assert.deepEqual(ids(commandRow(2, { state: "rejected" }), lost), [1]);
});

test("undo is the opposite, and only for the last word on a target", () => {
  const done = commandRow(1, { state: "verified" });
  assert.equal(oppositeOf(done, [done], [])?.kind, "thaw");
  const ids = (/** @type {CommandRow[]} */ ...commands) => [...undoable(commands, [])];
  assert.deepEqual(ids(done), [1]);
  assert.deepEqual(ids(commandRow(2, { kind: "thaw" }), done), [2]);
  assert.deepEqual(ids(commandRow(2, { state: "rejected" }), done), [1]);
  assert.deepEqual(ids(commandRow(2, { state: "superseded" }), done), []);
  assert.deepEqual(ids(commandRow(2, { target: "head" }), done), [2, 1]);
});

test("undoing a thaw freezes as it was frozen before", () => {
  const times = { requested: 1, applied: 2 };
  const held = commandRow(1, { state: "verified", times, mode: "no_grad", hold_stats: true });
  const plain = commandRow(2, { state: "verified", times, target: "head" });
  const thaw = commandRow(3, { kind: "thaw", state: "verified", reset_state: true });
  const opposite = { kind: "freeze", target: "encoder", mode: "no_grad", hold_stats: true, reset_state: false, limit: null };
  assert.deepEqual(oppositeOf(thaw, [thaw, plain, held], []), opposite);
  assert.deepEqual(oppositeOf(thaw, [thaw, plain], []), { ...opposite, mode: "grad", hold_stats: false });
  assert.deepEqual(oppositeOf(held, [thaw, plain, held], []), { ...opposite, kind: "thaw", mode: "grad", hold_stats: false });
});

test("a gate that was made is undone by removing it, once the job has named it", () => {
  const made = gateCommand(4, { ...DONE, step: 9 });
  assert.deepEqual([...undoable([made], [])], []);
  const gates = [gateRow(2, { command: 4, since_step: 9 })];
  assert.deepEqual([...undoable([made], gates)], [4]);
  assert.deepEqual(oppositeOf(made, [made], gates), { kind: "ungate", gate: 2 });
});

test("a changed gate is given its earlier rule back", () => {
  const made = gateCommand(4, { ...DONE, gate: 2, when: "norm > 5" });
  const changed = gateCommand(5, { ...DONE, step: 20, gate: 2 });
  const gates = [gateRow(2, { command: 5, since_step: 9 })];
  assert.deepEqual([...undoable([changed, made], gates)], [5]);
  const back = oppositeOf(changed, [changed, made], gates);
  assert.ok(back?.kind === "gate");
  assert.deepEqual([back.gate, back.when], [2, "norm > 5"]);
});

test("a changed gate whose earlier rule is not known is not undone", () => {
  const changed = gateCommand(5, { ...DONE, step: 20, gate: 2 });
  assert.equal(oppositeOf(changed, [changed], [gateRow(2, { command: 5, since_step: 9 })]), null);
});

test("a removed gate is made anew, as it was", () => {
  const made = gateCommand(4, { ...DONE, gate: 2, action: "scale", factor: -1 });
  const removed = ungateCommand(6, 2, DONE);
  const again = oppositeOf(removed, [removed, made], []);
  assert.ok(again?.kind === "gate");
  assert.deepEqual([again.gate, again.action, again.factor], [null, "scale", -1]);
  assert.deepEqual([...undoable([removed, made], [])], [6]);
});

test("a question is not undone", () => {
  const done = explainCommand(3, { state: "applied", step: 9, times: { requested: 1, applied: 2 } });
  assert.equal(oppositeOf(done, [done], []), null);
  assert.equal(undoable([done], []).size, 0);
});
