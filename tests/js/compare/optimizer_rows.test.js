/** How optimizers of runs differ. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { optimizerRows } from "../../../static/compare/optimizer_rows.js";

/**
 * @param {Record<string, number | boolean | number[]>} options
 * @param {object} [others]
 * @returns {any}
 */
function group(options, others = {}) {
  return { optimizer: "SGD", number: 0, group: 0, parameters: [[0, 3]], options, ...others };
}

/** @param {any[][]} runs */
function told(runs) {
  return optimizerRows(runs).map(({ name, values }) => [name, ...values]);
}

test("the kind comes first, then the options as a person asks for them", () => {
  const runs = [[group({ nesterov: false, lr: 0.1, betas: [0.9, 0.999] })], [group({ lr: 0.0003, nesterov: true }, { optimizer: "AdamW" })]];
  assert.deepEqual(told(runs), [
    ["Optimizer", "SGD", "AdamW"],
    ["Learning rate", "0.1", "0.0003"],
    ["Betas", "0.9 and 0.999", "–"],
    ["Nesterov", "no", "yes"],
  ]);
  assert.deepEqual(told([[], []]), []);
});

test("groups that differ are told apart, alike ones together, and of many the first", () => {
  const groups = (/** @type {number[]} */ ...rates) => rates.map((lr, i) => group({ lr }, { group: i }));
  const [, rates] = told([groups(0.1, 0.1, 0.01), groups(0.1, 0.1, 0.1), groups(1, 2, 3, 4, 5, 6), groups(1, 1, 1, 2)]);
  assert.deepEqual(rates.slice(1), [
    "0.1 in groups 1, 2, 0.01 in group 3",
    "0.1",
    "1 in group 1, 2 in group 2, 3 in group 3, 4 in group 4, and 2 more values",
    "1 in groups 1 to 3, 2 in group 4",
  ]);
});

test("what the words leave out differs all the same", () => {
  const groups = (/** @type {number} */ last) => [1, 2, 3, 4, 5, last].map((lr, i) => group({ lr }, { group: i }));
  const [, { values, keys }] = optimizerRows([groups(6), groups(7)]);
  assert.equal(values[0], values[1]);
  assert.notEqual(keys[0], keys[1]);
});

test("several optimizers are told by their number", () => {
  const [two, one] = [[group({ lr: 1 }), group({ lr: 2 }, { number: 1, optimizer: "Adam" })], [group({ lr: 1 })]];
  assert.deepEqual(told([two, one]), [
    ["Optimizer 1: kind", "SGD", "SGD"],
    ["Optimizer 1: learning rate", "1", "1"],
    ["Optimizer 2: kind", "Adam", "–"],
    ["Optimizer 2: learning rate", "2", "–"],
  ]);
});
