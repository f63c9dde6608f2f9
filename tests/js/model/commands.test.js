import assert from "node:assert/strict";
import { test } from "node:test";

import {
  effectMarks,
  mergeCommands,
  optionWords,
  pendingByParameter,
  stages,
  statement,
} from "../../../static/model/commands.js";
import { coveredBy } from "../../../static/model/target.js";
import { commandRow, gateCommand, parameterRow, ungateCommand } from "../support/rows.js";

/** @param {import("../../../static/wire.js").CommandRow} command */
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

test("options are words, and the plain way needs none", () => {
  assert.deepEqual(optionWords(commandRow(1)), []);
  assert.deepEqual(optionWords(commandRow(1, { mode: "no_grad", hold_stats: true })), [
    "without a graph (no_grad)",
    "running statistics held",
  ]);
  assert.deepEqual(optionWords(commandRow(1, { kind: "thaw", reset_state: true })), ["optimizer state reset"]);
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
});

test("newer rows replace older ones, newest first", () => {
  const merged = mergeCommands(
    [commandRow(2), commandRow(1)],
    [commandRow(3), commandRow(1, { state: "applied" })],
  );
  assert.deepEqual(merged.map(({ id, state }) => [id, state]), [
    [3, "requested"],
    [2, "requested"],
    [1, "applied"],
  ]);
});

test("the page keeps a hundred commands, the newest", () => {
  const rows = Array.from({ length: 150 }, (_, i) => commandRow(i + 1));
  const kept = mergeCommands([], rows);
  assert.equal(kept.length, 100);
  assert.deepEqual([kept[0].id, kept[99].id], [150, 51]);
});

test("a target covers an exact name, else a module, else a glob", () => {
  const rows = ["a", "a.b", "ab", "c[0]"].map((name) => parameterRow(name));
  assert.deepEqual(coveredBy("a", rows), [0]);
  assert.deepEqual(coveredBy("c[0]", rows), [3]);
  assert.deepEqual(coveredBy("a*", rows), [0, 1, 2]);
  assert.deepEqual(coveredBy("*", rows), [0, 1, 2, 3]);
  assert.deepEqual(coveredBy("nothing", rows), []);
});

test("a tied parameter is covered by each of its names", () => {
  const rows = [parameterRow("embed.weight", { names: ["embed.weight", "head.weight"] })];
  assert.deepEqual(coveredBy("head", rows), [0]);
});

test("the newest pending command is what a parameter waits for", () => {
  const rows = ["encoder.w", "head.w"].map((name) => parameterRow(name));
  const pending = pendingByParameter(
    [
      commandRow(3, { target: "encoder.w", kind: "thaw", state: "delivered" }),
      commandRow(2, { target: "*" }),
      commandRow(1, { target: "head", state: "applied" }),
    ],
    rows,
  );
  assert.deepEqual([pending.get(0)?.id, pending.get(1)?.id], [3, 2]);
});

test("marks stand where commands took effect, one a step", () => {
  const times = { requested: 1, applied: 2 };
  const marks = effectMarks([
    commandRow(4, { state: "requested" }),
    commandRow(3, { state: "verified", step: 20, times, kind: "thaw" }),
    commandRow(2, { state: "applied", step: 10, times, target: "head" }),
    commandRow(1, { state: "applied", step: 10, times }),
    commandRow(0, { state: "rejected", step: 5 }),
  ]);
  assert.deepEqual(marks, [
    { step: 10, label: "freeze encoder, freeze head", gating: false },
    { step: 20, label: "thaw encoder", gating: false },
  ]);
});

test("a pending command says nothing of a parameter that was replaced", () => {
  const rows = [parameterRow("encoder.w (replaced at step 4)", { removed: true }), parameterRow("encoder.w")];
  assert.deepEqual([...pendingByParameter([commandRow(1)], rows).keys()], [1]);
});

test("a gate command is said in words, wherever it is named", () => {
  const times = { requested: 1, applied: 2 };
  const made = gateCommand(2, { state: "verified", step: 9, times });
  assert.equal(statement(made), "block output:encoder when norm > 10 applied and verified at step 9");
  assert.deepEqual(effectMarks([made]), [{ step: 9, label: "block output:encoder when norm > 10", gating: true }]);
  const mixed = effectMarks([commandRow(3, { state: "applied", step: 9, times }), made]);
  assert.deepEqual(mixed.map(({ gating }) => gating), [false]);
  assert.equal(statement(ungateCommand(3, 1, { state: "rejected", reason: "no gate 1" })), "remove gate 1 rejected: no gate 1");
});

test("a pending gate command is not what a parameter's freeze switch waits for", () => {
  const rows = [parameterRow("w")];
  assert.equal(pendingByParameter([gateCommand(1, { site: "param:w", target: "w" })], rows).size, 0);
});
