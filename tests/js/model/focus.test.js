import assert from "node:assert/strict";
import test from "node:test";

import { Focus } from "../../../static/model/focus.js";

/** @param {number} parameter @param {number} step */
const seen = (parameter, step) => ({ parameter, step, time: 1, gradient: null, weight: null });

test("what was seen of another parameter is not shown", () => {
  const focus = new Focus();
  assert.deepEqual(focus.asked, []);
  focus.turn(3);
  assert.deepEqual(focus.asked, [3]);
  focus.take([seen(2, 7), seen(3, 7)]);
  focus.take([seen(2, 8)]);
  assert.equal(focus.seen?.step, 7);
  focus.answer({ problem: "too many" });
  focus.turn(3);
  assert.equal(focus.problem, "too many");
  focus.turn(2);
  assert.equal(focus.seen, null);
  assert.equal(focus.problem, "");
  focus.turn(null);
  assert.deepEqual(focus.asked, []);
});
