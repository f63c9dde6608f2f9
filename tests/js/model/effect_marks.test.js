import assert from "node:assert/strict";
import { test } from "node:test";

import { effectMarks } from "../../../static/model/effect_marks.js";
import { commandRow, explainCommand, gateCommand } from "../support/rows.js";

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

test("a mark says in words what gates do, and is a gate's where all of its commands are", () => {
  const times = { requested: 1, applied: 2 };
  const made = gateCommand(2, { state: "verified", step: 9, times });
  assert.deepEqual(effectMarks([made]), [{ step: 9, label: "block output:encoder when norm > 10", gating: true }]);
  const mixed = effectMarks([commandRow(3, { state: "applied", step: 9, times }), made]);
  assert.deepEqual(mixed.map(({ gating }) => gating), [false]);
});

test("a question leaves no mark on a chart", () => {
  const done = explainCommand(3, { state: "applied", step: 9, times: { requested: 1, applied: 2 } });
  assert.deepEqual(effectMarks([done]), []);
});

test("a mark is no gate's where any command of its step was none", () => {
  const times = { requested: 1, applied: 2 };
  const freeze = commandRow(2, { state: "applied", step: 9, times });
  const later = gateCommand(3, { state: "applied", step: 9, times });
  assert.deepEqual(effectMarks([later, freeze]).map(({ gating }) => gating), [false]);
});
