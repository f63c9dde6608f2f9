import assert from "node:assert/strict";
import { test } from "node:test";

import { taken } from "../../../static/parameter/courses.js";

test("samples that did not take a statistic leave no gap in its line", () => {
  const track = { steps: [1, 2, 3, 4], values: [5, null, null, 7], min: [4, null, null, 7], max: [6, null, null, 7] };
  assert.deepEqual(taken(track), { steps: [1, 4], values: [5, 7], min: [4, 7], max: [6, 7] });
});
