import assert from "node:assert/strict";
import { test } from "node:test";

import { groupOf, groupWords } from "../../../static/model/optimizer_groups.js";

/** @typedef {import("../../../static/wire.js").OptimizerGroup} OptimizerGroup */

/** @type {OptimizerGroup} */
const BODY = { optimizer: "AdamW", number: 0, group: 0, parameters: [[0, 3], [7, 7]], options: { eps: 1e-8, betas: [0.9, 0.999], amsgrad: false, lr: 3e-4, weight_decay: 0.01 } };
/** @type {OptimizerGroup} */
const HEAD = { optimizer: "AdamW", number: 0, group: 1, parameters: [[4, 6]], options: { lr: 0.001 } };
/** @type {OptimizerGroup} */
const OTHER = { optimizer: "SGD", number: 1, group: 0, parameters: [[8, 8]], options: { nesterov: true, momentum: 0.9, lr: 1 / 3 } };
const ALL = [BODY, HEAD, OTHER];

test("a parameter is in the group whose neighbours it is among", () => {
  assert.deepEqual([0, 3, 4, 7, 8, 9, -1].map((place) => groupOf(ALL, place)), [BODY, BODY, HEAD, BODY, OTHER, null, null]);
});

test("a group is told with what a person asks for first, and numbers as the script has them", () => {
  assert.equal(
    groupWords(BODY, ALL),
    "AdamW, group 1 of 2 (5 parameters): learning rate 0.0003, weight decay 0.01, betas 0.9 and 0.999, eps 1e−8",
  );
  assert.equal(groupWords(OTHER, ALL), "SGD (1 parameter): learning rate 0.333333, momentum 0.9, nesterov");
});

test("a group without any option is told all the same", () => {
  assert.equal(groupWords({ ...HEAD, options: {} }, [HEAD]), "AdamW (3 parameters)");
});
