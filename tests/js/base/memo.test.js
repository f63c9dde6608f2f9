import assert from "node:assert/strict";
import { test } from "node:test";

import { Memo } from "../../../static/base/memo.js";

test("what is made from the same things is not made again", () => {
  const memory = new Memo();
  const list = [1];
  assert.equal(memory.differs(list, NaN), true);
  assert.equal(memory.differs(list, NaN), false);
  assert.equal(memory.differs([1], NaN), true);
  assert.equal(memory.differs([1]), true);
});
