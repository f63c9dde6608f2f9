import assert from "node:assert/strict";
import { test } from "node:test";

import { coveredBy } from "../../../static/model/target.js";
import { parameterRow } from "../support/rows.js";

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

test("what the model has no longer is not covered", () => {
  const rows = [parameterRow("a.w", { removed: true }), parameterRow("a.b")];
  assert.deepEqual(coveredBy("a", rows), [1]);
  assert.deepEqual(coveredBy("a.w", rows), []);
});
