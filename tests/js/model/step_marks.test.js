/** Marks over the steps. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { marksNear, stepMarks } from "../../../static/model/step_marks.js";

/** @param {Partial<import("../../../static/wire.js").EventRow>} changes */
function event(changes) {
  return /** @type {import("../../../static/wire.js").EventRow} */ ({ id: 1, kind: "spike", level: "alert", step: 5, sentence: "s", dismissed: null, ...changes });
}

test("events are marked, alerts over notes, but not what was put aside or is marked otherwise", () => {
  const events = [event({ step: 1 }), event({ step: 2, level: "note" }), event({ step: 3, kind: "command" }), event({ step: 4, dismissed: 9 })];
  assert.deepEqual(stepMarks([], events).map(({ step, kind }) => [step, kind]), [[2, "note"], [1, "alert"]]);
});

test("marks within reach of a step are found", () => {
  const marks = stepMarks([], [event({ step: 1 }), event({ step: 8 })]);
  assert.deepEqual(marksNear(marks, 7, 2).map(({ step }) => step), [8]);
});
