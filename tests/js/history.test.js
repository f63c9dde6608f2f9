import assert from "node:assert/strict";
import { test } from "node:test";

import { History } from "../../static/lib/history.js";

test("a column is oldest first and forgets beyond its capacity", () => {
  const history = new History(2, 3);
  for (let step = 1; step <= 5; step += 1) history.push([step, -step], [1, 4]);
  assert.deepEqual(history.column(0).map(({ norm }) => norm), [3, 4, 5]);
  assert.deepEqual(history.column(1)[2], { norm: -5, state: 4 });
});

test("a short sample leaves the rest unmeasured", () => {
  const history = new History(2, 3);
  history.push([1], [1]);
  assert.deepEqual(history.column(1), [{ norm: NaN, state: 0 }]);
});

test("a new history is empty", () => {
  assert.deepEqual(new History(2, 3).column(1), []);
});
