import assert from "node:assert/strict";
import { test } from "node:test";

import { stateCode } from "../../../static/model/states.js";
import { sparkPaths } from "../../../static/tree/sparkline.js";

const PRESENT = stateCode("present");

/**
 * @param {number} norm
 * @param {number} [low]
 * @param {number} [high]
 */
function present(norm, low = norm, high = norm) {
  return { norm, low, high, state: PRESENT };
}

/** @param {import("../../../static/model/states.js").StateName} name */
function without(name) {
  return { norm: NaN, low: NaN, high: NaN, state: stateCode(name) };
}

test("norms are a line on a log scale of at least one decade, at the right of the room that there is", () => {
  const { line, ticks } = sparkPaths([present(1), present(10)], 7);
  assert.equal(line, "M55 16.5L65 1.5");
  assert.equal(ticks.size, 0);
  assert.equal(sparkPaths([present(1), present(1.001)], 7).line, "M55 9L65 9");
});

test("one without a norm is a gap with a tick of its state, and a norm alone is a dash", () => {
  const { line, ticks } = sparkPaths([present(1), without("absent"), without("unmeasured"), without("absent")], 7);
  assert.equal(line, "M34 9h2");
  assert.deepEqual([...ticks], [["absent", "M45 15V18M65 15V18"]]);
});

test("an entry that stands for several samples reaches from their lowest to their highest norm", () => {
  assert.equal(sparkPaths([present(1, 0.1, 1000)], 7).line, "M64 12.8h2M65 1.5V16.5");
  assert.equal(sparkPaths([present(1, 0, 10)], 7).line, "M64 16.5h2M65 1.5V16.5");
});
