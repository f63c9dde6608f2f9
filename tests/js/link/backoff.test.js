import assert from "node:assert/strict";
import { test } from "node:test";

import { backoff } from "../../../static/link/backoff.js";

test("reconnection waits longer each time, with an end and some spread", () => {
  assert.deepEqual([0, 1, 2, 3, 4, 5, 50].map((attempt) => backoff(attempt, 0.5)), [
    250, 500, 1000, 2000, 4000, 5000, 5000,
  ]);
  assert.ok(backoff(3, 0) < backoff(3, 1));
});
