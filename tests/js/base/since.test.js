import assert from "node:assert/strict";
import { test } from "node:test";
import { Since } from "../../../static/base/since.js";

test("a night's sleep has passed, and a clock that was set back has not gone back", () => {
  let [steady, wall] = [1000, 5_000_000];
  const since = new Since({ steady: () => steady, wall: () => wall });
  assert.equal(since.ms, 0);
  steady += 2000;
  wall += 28_800_000;
  assert.equal(since.seconds, 28_800);
  wall -= 90_000_000;
  assert.equal(since.seconds, 2);
});
