import assert from "node:assert/strict";
import { test } from "node:test";

import { limitWords } from "../../../static/model/limit.js";

test("a limit is said with each of its ends, in the largest unit that it fills", () => {
  assert.deepEqual(limitWords({ steps: 500, seconds: 600 }), ["for 500 steps or 10 min"]);
  assert.deepEqual(limitWords({ steps: 1, seconds: null }), ["for 1 step"]);
  assert.deepEqual(limitWords({ seconds: 7200 }), ["for 2 h"]);
  assert.deepEqual(limitWords({ seconds: 90 }), ["for 90 s"]);
  assert.deepEqual(limitWords({ while_watched: true }), ["while its page is open"]);
  assert.deepEqual(limitWords({ steps: 2, while_watched: true }), ["for 2 steps", "while its page is open"]);
});

test("what has no limit says nothing of one", () => {
  assert.deepEqual(limitWords(null), []);
  assert.deepEqual(limitWords(undefined), []);
});
