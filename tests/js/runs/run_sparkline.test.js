import assert from "node:assert/strict";
import { test } from "node:test";

import { sparklinePath, sparklineTitle } from "../../../static/runs/run_sparkline.js";

test("the least value is at the foot and the greatest at the top, over the whole width", () => {
  assert.equal(sparklinePath([4, 0, 2]), "M1.5 1.5L44 16.5L86.5 9");
});

test("what is not finite is a gap, and a value between two gaps a dot", () => {
  assert.equal(sparklinePath([1, null, 2, null, 1, 1]), "M1.5 16.5h0M35.5 1.5h0M69.5 16.5L86.5 16.5");
  assert.equal(sparklinePath([null, null]), "");
});

test("a metric that stays as it is, or has one value, is in the middle", () => {
  assert.equal(sparklinePath([3, 3]), "M1.5 9L86.5 9");
  assert.equal(sparklinePath([3]), "M1.5 9h0");
});

test("the title says from where to where it went", () => {
  assert.equal(sparklineTitle({ metric: "loss", values: [2.345, 1, null] }), "loss: 2.35 to not finite");
  assert.equal(sparklineTitle({ metric: "a\u202eb", values: [2] }), "a⟨U+202E⟩b: 2.00");
});
