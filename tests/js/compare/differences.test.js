import assert from "node:assert/strict";
import { test } from "node:test";

import { differences } from "../../../static/compare/differences.js";

/**
 * @param {object} facts
 * @param {object[]} commands newest first
 * @returns {any}
 */
function compared(facts, commands = []) {
  const run = { status: "finished", step: 100, parameters: 2, numel: 10, trainable: 2, ranks: 1, compiled: false, torch_version: "2.13.0", host: "node7", alerts: 0, open_alerts: 0, last_alert: null, ...facts };
  return { run, side: { id: "a", range: null }, steps: [0, 100], parameters: [], norms: [], metrics: {}, commands, optimizers: [] };
}

/** @param {object} changes */
function command(changes) {
  return { kind: "freeze", target: "encoder.*", state: "verified", step: 20, site: null, when: null, gate: null, ...changes };
}

test("what differs comes first, and each run has its value", () => {
  const rows = differences([compared({}), compared({ numel: 12 })]);
  assert.deepEqual(rows[0], { name: "Numbers in them", values: ["10", "12"], differs: true });
  assert.ok(rows.slice(1).every(({ differs }) => !differs));
});

test("an alert that nobody dismissed is told, whether it is so now or not", () => {
  const rows = differences([compared({}), compared({ open_alerts: 2, last_alert: 1200 })]);
  assert.deepEqual(rows[0], { name: "Open alerts", values: ["none", "2 open alerts, the last at step 1,200"], differs: true });
});

test("optimizers differ where an option of theirs does", () => {
  const adam = (/** @type {number} */ lr) => ({ ...compared({}), optimizers: [{ optimizer: "Adam", number: 0, group: 0, parameters: [[0, 1]], options: { lr } }] });
  assert.deepEqual(differences([adam(0.1), adam(0.2)])[0], { name: "Learning rate", values: ["0.1", "0.2"], differs: true });
});

test("a command is a row with the steps of each run, oldest first; what had no effect is none", () => {
  const first = compared({}, [command({ step: 80 }), command({ step: 20 })]);
  const second = compared({}, [command({ state: "rejected" }), command({ kind: "gate", site: "output:body", when: "norm > 10", step: 7 })]);
  const rows = differences([first, second]).filter(({ differs }) => differs);
  assert.deepEqual(rows, [
    { name: "Freeze encoder.*", values: ["at step 20, 80", "–"], differs: true },
    { name: "Gate output:body, closed when norm > 10", values: ["–", "at step 7"], differs: true },
  ]);
});

test("the same command at the same step differs in nothing", () => {
  const rows = differences([compared({}, [command({})]), compared({}, [command({})])]);
  assert.deepEqual(rows.at(-1), { name: "Freeze encoder.*", values: ["at step 20", "at step 20"], differs: false });
});

test("of a range what was done in it and before it is told, and which states were the worst", () => {
  const commands = [command({ step: 900 }), command({ step: 80 }), command({ step: 20 })];
  const side = { ...compared({}, commands), side: { id: "a", range: [50, 100] }, steps: [50, 100], norms: [{ name: "m", parameters: 3, grad_norm: null, state: "frozen" }] };
  const rows = new Map(differences([side, compared({})]).map(({ name, values }) => [name, values]));
  assert.deepEqual(rows.get("Freeze encoder.*"), ["at step 20 (before), 80", "–"]);
  assert.deepEqual(rows.get("Steps"), ["50 to 100", "0 to 100"]);
  assert.deepEqual(rows.get("Parameters whose worst state is frozen"), ["3", "0"]);
});
