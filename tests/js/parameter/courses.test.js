import assert from "node:assert/strict";
import { test } from "node:test";

import { taken } from "../../../static/parameter/courses.js";

test("samples that did not take a statistic leave no gap in its line, and what was not finite stays", () => {
  const track = {
    begins: [0, 2, 3, 4, 5],
    steps: [1, 2, 3, 4, 5],
    states: ["present", "present", "nonfinite", "present", "present"],
    values: [5, null, null, null, 7],
    min: [4, null, null, null, 7],
    max: [6, null, null, null, 7],
    nonfinite: ["", "", "NaN", "", ""],
  };
  assert.deepEqual(taken(track), { begins: [0, 3, 5], steps: [1, 3, 5], states: ["present", "nonfinite", "present"], values: [5, null, 7], min: [4, null, 7], max: [6, null, 7], nonfinite: ["", "NaN", ""] });
});

test("a bucket whose last sample did not take a statistic has a value all the same", () => {
  const track = { begins: [1, 11], steps: [10, 20], states: ["present", "present"], values: [null, null], min: [3, null], max: [4, null], nonfinite: ["", ""] };
  assert.deepEqual(taken(track).steps, [10]);
});
