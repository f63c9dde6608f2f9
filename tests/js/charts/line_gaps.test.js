/** Gaps in lines. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { withGaps } from "../../../static/charts/line_gaps.js";
import { line } from "../support/figures.js";

test("no line leads across steps in which nothing was measured", () => {
  const opened = withGaps({ ...line([1, 2, 3, 900, 901], [1, 2, 3, 4, 5]), smooth: [1, 2, 3, 4, 5] });
  assert.deepEqual(opened.steps, [1, 2, 3, 4, 900, 901]);
  for (const column of [opened.values, opened.min, opened.max, opened.smooth]) assert.deepEqual(column, [1, 2, 3, null, 4, 5]);
  assert.deepEqual(opened.nonfinite, Array(6).fill(""));
});

test("samples far apart are one line", () => {
  const apart = line([500, 1000, 1500], [1, 2, 3]);
  assert.equal(withGaps(apart), apart);
});
