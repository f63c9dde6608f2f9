import assert from "node:assert/strict";
import { test } from "node:test";

import { rowsInSight, scrollToRow } from "../../../static/tree/row_window.js";

test("only the rows in sight are drawn, whatever their number", () => {
  const list = { height: 240, rowHeight: 24, count: 10_000, spare: 2 };
  assert.deepEqual(rowsInSight({ ...list, scrollTop: 0 }), { first: 0, end: 12 });
  assert.deepEqual(rowsInSight({ ...list, scrollTop: 24_000 }), { first: 998, end: 1012 });
  assert.deepEqual(rowsInSight({ ...list, scrollTop: 239_760 }), { first: 9988, end: 10_000 });
  assert.deepEqual(rowsInSight({ ...list, scrollTop: 500, count: 0 }), { first: 0, end: 0 });
});

test("a row is brought into sight with the least movement", () => {
  const list = { height: 240, rowHeight: 24, scrollTop: 100 };
  assert.equal(scrollToRow({ ...list, row: 8 }), 100);
  assert.equal(scrollToRow({ ...list, row: 2 }), 48);
  assert.equal(scrollToRow({ ...list, row: 20 }), 264);
});
