import assert from "node:assert/strict";
import { test } from "node:test";

import { latestOf } from "../../../static/compare/compared_run.js";
import { normRows } from "../../../static/compare/norm_ratios.js";

/**
 * @param {Record<string, [number | null, string]>} norms
 * @returns {any}
 */
function compared(norms) {
  return { norms: Object.entries(norms).map(([name, [grad_norm, state]]) => ({ name, grad_norm, state })) };
}

test("the largest ratio comes first, whichever way, and another state before all", () => {
  const first = compared({ a: [1, "present"], b: [1, "present"], c: [1, "present"], d: [1, "present"] });
  const second = compared({ a: [1.1, "present"], b: [8, "present"], c: [0.01, "present"], d: [null, "absent"] });
  const rows = normRows([first, second]);
  assert.deepEqual(rows.map(({ name }) => name), ["d", "c", "b", "a"]);
  assert.equal(rows[2].cells[1].doublings, 3);
});

test("of the latest sample only a gradient that is there has a norm", () => {
  const row = (/** @type {string} */ state) => latestOf(/** @type {any} */ ({ name: "a", grad_norm: 3, state }));
  assert.deepEqual(row("present"), { name: "a", parameters: 1, grad_norm: 3, state: "present" });
  for (const state of ["frozen", "absent", "stale", "gated"]) assert.equal(row(state).grad_norm, null, state);
});

test("a parameter that one run has not is no ratio, and no error", () => {
  const [row] = normRows([compared({}), compared({ a: [1, "present"] })]);
  assert.deepEqual(row.cells, [
    { norm: null, state: "", doublings: null },
    { norm: 1, state: "present", doublings: null },
  ]);
});

test("a norm of zero has no ratio", () => {
  const [row] = normRows([compared({ a: [0, "zero"] }), compared({ a: [1, "zero"] })]);
  assert.equal(row.cells[1].doublings, null);
});
