import assert from "node:assert/strict";
import { test } from "node:test";

import { mergeCommands, pendingByParameter } from "../../../static/model/commands.js";
import { commandRow, explainCommand, gateCommand, parameterRow } from "../support/rows.js";

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

test("a pending command says nothing of a parameter that was replaced", () => {
  const rows = [parameterRow("encoder.w (replaced at step 4)", { removed: true }), parameterRow("encoder.w")];
  assert.deepEqual([...pendingByParameter([commandRow(1)], rows).keys()], [1]);
});

test("a pending gate command is not what a parameter's freeze switch waits for", () => {
  const rows = [parameterRow("w")];
  assert.equal(pendingByParameter([gateCommand(1, { site: "param:w", target: "w" })], rows).size, 0);
});

test("no parameter waits for a question", () => {
  assert.equal(pendingByParameter([explainCommand(4)], [parameterRow("encoder.weight")]).size, 0);
});

test("a command that the job has reported is waited for no longer", () => {
  const rows = [parameterRow("encoder.weight")];
  const applied = commandRow(1, { state: "applied", step: 3, times: { requested: 1, applied: 2 } });
  assert.equal(pendingByParameter([applied], rows).size, 0);
});
