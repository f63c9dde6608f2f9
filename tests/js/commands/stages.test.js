import assert from "node:assert/strict";
import { test } from "node:test";

import { stages, statement } from "../../../static/commands/stages.js";
import { commandRow, explainCommand, gateCommand, ungateCommand } from "../support/rows.js";

/** @param {import("../../../static/model/records.js").CommandRow} command */
function told(command) {
  return stages(command).map(({ label, progress }) => `${label} ${progress}`);
}

test("a requested command waits for its delivery and is nowhere done", () => {
  assert.deepEqual(told(commandRow(1)), [
    "requested done",
    "delivered waiting",
    "applied ahead",
    "verified ahead",
  ]);
});

test("an applied command says at which step", () => {
  const command = commandRow(1, { state: "applied", step: 120, times: { requested: 1, applied: 2 } });
  assert.deepEqual(told(command), [
    "requested done",
    "delivered done",
    "applied at step 120 done",
    "verified waiting",
  ]);
});

test("a rejected command ends where it had come to", () => {
  const command = commandRow(1, {
    state: "rejected",
    reason: "nothing matches",
    times: { requested: 1, delivered: 2, rejected: 3 },
  });
  assert.deepEqual(told(command), ["requested done", "delivered done", "rejected ended"]);
});

test("a command that drifted had been applied, whether or not that report came", () => {
  const times = { requested: 1, drifted: 4 };
  const seen = told(commandRow(1, { state: "drifted", step: 9, times: { ...times, applied: 2, verified: 3 } }));
  assert.deepEqual(seen.slice(2), ["applied at step 9 done", "verified done", "drifted ended"]);
  const skipped = told(commandRow(1, { state: "drifted", step: 9, times }));
  assert.deepEqual(skipped.slice(2), ["applied at step 9 done", "drifted ended"]);
});

test("a command that was superseded before it was applied shows no step", () => {
  const command = commandRow(1, { state: "superseded", step: 7, times: { requested: 1, superseded: 2 } });
  assert.deepEqual(told(command), ["requested done", "superseded ended"]);
});

test("the announcement says what, where it stands and why", () => {
  assert.equal(
    statement(commandRow(1, { state: "applied", step: 9 })),
    "freeze encoder applied at step 9",
  );
  assert.equal(
    statement(commandRow(1, { state: "rejected", reason: "no such name" })),
    "freeze encoder rejected: no such name",
  );
  assert.equal(
    statement(commandRow(1, { state: "drifted", mode: "no_grad", reason: "the script moved it" })),
    "freeze encoder, without a graph (no_grad) drifted: the script moved it",
  );
  assert.equal(
    statement(commandRow(1, { state: "superseded", reason: "made trainable again by the script" })),
    "freeze encoder superseded: made trainable again by the script",
  );
});

test("a gate command is said in words", () => {
  const made = gateCommand(2, { state: "verified", step: 9, times: { requested: 1, applied: 2 } });
  assert.equal(statement(made), "block output:encoder when norm > 10 applied and verified at step 9");
  assert.equal(statement(ungateCommand(3, 1, { state: "rejected", reason: "no gate 1" })), "remove gate 1 rejected: no gate 1");
});

test("a question ends with its answer", () => {
  const done = explainCommand(3, { state: "applied", step: 9, times: { requested: 1, applied: 2 } });
  assert.deepEqual(stages(done).map(({ label, progress }) => `${label} ${progress}`), [
    "requested done",
    "delivered done",
    "answered at step 9 done",
  ]);
  assert.equal(statement(done), "explain encoder.weight answered at step 9");
});

test("a command that ended before any report still shows that it was asked for", () => {
  const command = commandRow(1, { state: "rejected", times: { rejected: 2 } });
  assert.deepEqual(stages(command).map(({ label }) => label), ["requested", "rejected"]);
});

test("a step that is only expected is not said", () => {
  const command = commandRow(1, { state: "delivered", step: 8 });
  assert.deepEqual(told(command), ["requested done", "delivered done", "applied waiting", "verified ahead"]);
});

test("a reason is announced with what went wrong alone", () => {
  assert.equal(statement(commandRow(1, { state: "applied", step: 8, reason: "later" })), "freeze encoder applied at step 8");
});
