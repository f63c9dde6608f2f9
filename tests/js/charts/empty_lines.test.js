/** Why lines have nothing to draw. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyWords, isEmpty } from "../../../static/charts/empty_lines.js";
import { line } from "../support/figures.js";

/** @param {string} state @param {number | null} value @param {string} [name] */
function of(state, value, name = "a") {
  const steps = [1, 2, 3];
  return { ...line(steps, steps.map(() => value), name), states: steps.map(() => state) };
}

test("each state says why there is nothing, of all lines that are in it at once", () => {
  const lines = [of("absent", null, "a"), of("absent", null, "b"), of("frozen", null, "c"), of("zero", 0, "d"), of("present", 2, "e")];
  assert.equal(
    emptyWords(lines, [1, 3], "grad_norm"),
    "No gradient arrived at a, b in these steps. c: frozen in these steps. d: gradient norm 0 in these steps, for which a logarithmic axis has no place.",
  );
  assert.equal(emptyWords([of("gated", null)], null, "grad_norm"), "A closed gate kept the gradient from a so far.");
});

test("a line with a value or something that is not finite in sight is not empty", () => {
  const late = { ...of("absent", null), values: [null, null, 4], max: [null, null, 4] };
  assert.deepEqual([isEmpty(late, null), isEmpty(late, [1, 2]), isEmpty(late, [3, 9])], [false, true, false]);
  assert.equal(isEmpty({ ...of("nonfinite", null), nonfinite: ["NaN", "", ""] }, null), false);
  assert.equal(isEmpty({ ...of("zero", 0), max: [0, 3, 0] }, null), false);
});

test("where there is no sample in sight nothing is said of it", () => {
  assert.deepEqual([isEmpty(of("absent", null), [7, 9]), emptyWords([of("absent", null)], [7, 9], "grad_norm")], [false, ""]);
});
