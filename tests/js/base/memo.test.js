import assert from "node:assert/strict";
import { test } from "node:test";

import { Memo } from "../../../static/base/memo.js";

test("what is made from the same things is not made again", () => {
  const memo = new Memo();
  const list = [1];
  assert.equal(memo.differs(list, NaN), true);
  assert.equal(memo.differs(list, NaN), false);
  assert.equal(memo.differs([1], NaN), true);
  assert.equal(memo.differs([1]), true);
});

test("fewer or more things are others", () => {
  const memo = new Memo();
  memo.differs(1, 2);
  assert.equal(memo.differs(1), true);
  assert.equal(memo.differs(1, undefined), true);
});
