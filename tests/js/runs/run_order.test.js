import assert from "node:assert/strict";
import { test } from "node:test";

import { isSort, nextRunSort, sortedRuns } from "../../../static/runs/run_order.js";
import { run } from "../support/made_run.js";

/**
 * @param {string} sort
 * @param {Partial<import("../../../static/wire.js").RunRow>[]} rows
 */
function order(sort, rows) {
  return sortedRuns(rows.map((row, place) => run({ id: "abcd"[place], ...row })), sort).map(({ id }) => id).join("");
}

test("numbers and names are sorted either way, and names by the numbers in them", () => {
  const steps = [{ step: 2 }, { step: 10 }, { step: 3 }];
  assert.deepEqual([order("step", steps), order("-step", steps), order("", steps)], ["acb", "bca", "abc"]);
  const names = [{ name: "run 10" }, { name: "run 9" }, { name: "Run 1" }];
  assert.deepEqual([order("name", names), order("-name", names)], ["cba", "abc"]);
});

test("what a run does not have comes last either way, and equal runs stay newest first", () => {
  const costs = [{ cost: null }, { cost: 0.1 }, { cost: 0.1 }, { cost: 0.2 }];
  assert.deepEqual([order("cost", costs), order("-cost", costs)], ["bcda", "dbca"]);
  assert.equal(order("-rate", [{ steps_per_second: 9 }, { steps_per_second: 1, status: "live" }]), "ba");
});

test("an alert is more trouble than any number of states, of which calm ones are none", () => {
  const rows = [{ states: { present: 90, frozen: 5 } }, { states: { absent: 40 } }, { alerts: 1 }, { states: { absent: 1, nonfinite: 40 } }];
  assert.equal(order("-trouble", rows), "cdba");
  assert.equal(order("-trouble", [{}, { open_alerts: 9 }, { states: { absent: 1 } }]), "cba");
});

test("a head sorts, turns round and lets go; a column that there is not is none", () => {
  assert.deepEqual(["", "-step", "step", "name"].map((sort) => nextRunSort(sort, "step")), ["-step", "step", "", "-step"]);
  assert.deepEqual(["", "name", "-name"].map((sort) => nextRunSort(sort, "name")), ["name", "-name", ""]);
  assert.deepEqual(["-job", "beauty", "", "constructor"].map(isSort), [true, false, false, false]);
});
