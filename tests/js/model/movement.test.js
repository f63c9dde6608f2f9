import assert from "node:assert/strict";
import { test } from "node:test";

import { movementOf } from "../../../static/model/movement.js";

test("weights taken together move as one vector would", () => {
  const { ratio, weight } = movementOf([0, 1], [0.5, 0], [6, 8]);
  assert.equal(weight, 10);
  assert.equal(ratio, 0.3);
});

test("a weight that was not looked at is left out, and none is no number", () => {
  assert.deepEqual(movementOf([0, 1], [0.5, NaN], [6, NaN]), { ratio: 0.5, weight: 6 });
  assert.deepEqual(movementOf([1], [0.5], [6]), { ratio: NaN, weight: NaN });
});

test("a weight that no optimizer steps has a norm, and no ratio", () => {
  assert.deepEqual(movementOf([0], [NaN], [6]), { ratio: NaN, weight: 6 });
});
