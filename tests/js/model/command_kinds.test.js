import assert from "node:assert/strict";
import { test } from "node:test";

import { askedFor, kindOf } from "../../../static/model/command_kinds.js";
import { commandRow, gateCommand } from "../support/rows.js";

test("a command says what a gate does then, or that it is paused or removed", () => {
  const words = (/** @type {import("../../../static/model/records.js").CommandDraft} */ draft) => Object.values(askedFor(draft)).join(" ");
  assert.equal(words(gateCommand(1)), "block output:encoder when norm > 10");
  assert.equal(words(gateCommand(1, { gate: 3 })), "block output:encoder when norm > 10 (gate 3)");
  assert.equal(words(gateCommand(1, { gate: 3, paused: true })), "pause gate 3: block output:encoder when norm > 10");
  assert.equal(words({ kind: "ungate", gate: 3 }), "remove gate 3");
});

test("options are words, and the plain way needs none", () => {
  const options = (/** @type {import("../../../static/model/records.js").FreezeCommand} */ draft) => kindOf(draft).options(draft);
  assert.deepEqual(options(commandRow(1)), []);
  assert.deepEqual(options(commandRow(1, { mode: "no_grad", hold_stats: true })), [
    "without a graph (no_grad)",
    "running statistics held",
  ]);
  assert.deepEqual(options(commandRow(1, { kind: "thaw", reset_state: true })), ["optimizer state reset"]);
});

test("a command of a kind that the page does not know reads as its own name, and is not undone", () => {
  const melted = commandRow(1, { kind: /** @type {any} */ ("melt"), target: "encoder.*" });
  assert.deepEqual(askedFor(melted), { verb: "melt", object: "encoder.*" });
  const { options, path, changes, opposite, takesUp } = kindOf(melted);
  assert.deepEqual(options(melted), []);
  assert.equal(path.at(-1), "verified");
  assert.equal(changes, null);
  const known = { commands: [melted], gates: [] };
  assert.deepEqual([opposite(melted, known), takesUp(melted, known)], [null, null]);
});
