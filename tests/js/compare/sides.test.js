/** What the address of a comparison names. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { compareLink, MOST_RUNS, namedSides, withAnotherRange, wrongStep } from "../../../static/compare/sides.js";

test("an address names runs and ranges of them, each once, and a link names them again", () => {
  const sides = namedSides("?run=a&run=a@5-9&run=a@9-5&run=a&run=b@x-1&run=");
  assert.deepEqual(sides, [
    { id: "a", range: null },
    { id: "a", range: [5, 9] },
    { id: "b@x-1", range: null },
  ]);
  assert.deepEqual(namedSides(new URL(compareLink(sides), "http://x").search), sides);
  assert.equal(namedSides(`?${Array.from({ length: 20 }, (_, i) => `run=${i}`).join("&")}`).length, MOST_RUNS);
});

test("beside a run stand its halves, beside a range what follows it, or what was before", () => {
  const [a, b] = [{ id: "a", range: null }, { id: "b", range: null }];
  const ranges = (/** @type {import("../../../static/compare/sides.js").Side[] | null} */ sides) => sides?.map(({ range }) => range);
  assert.deepEqual(ranges(withAnotherRange([a, b], 0, 101)), [[0, 50], [51, 101], null]);
  assert.deepEqual(ranges(withAnotherRange([{ id: "a", range: [10, 19] }], 0, 25)), [[10, 19], [20, 25]]);
  assert.deepEqual(ranges(withAnotherRange([{ id: "a", range: [10, 25] }], 0, 25)), [[10, 25], [0, 9]]);
});

test("a run without two steps has no other range, nor has a range of all its steps", () => {
  assert.equal(withAnotherRange([{ id: "a", range: null }], 0, 0), null);
  assert.equal(withAnotherRange([{ id: "a", range: [0, 0] }], 0, 0), null);
  assert.equal(withAnotherRange([{ id: "a", range: [0, 25] }], 0, 25), null);
});

test("steps are whole, of the run, and the first before the last", () => {
  for (const typed of [["0", "6,000"], ["7", "7"], [" 1,000 ", "9000"], ["6000", "6000"]]) assert.equal(wrongStep(typed, 6000), -1, String(typed));
  for (const typed of [["", "5"], ["-1", "5"], ["1.5", "5"], ["x", ""], ["7000", "9000"]]) assert.equal(wrongStep(typed, 6000), 0, String(typed));
  for (const typed of [["5", ""], ["5", "4"], ["5", "1e3"]]) assert.equal(wrongStep(typed, 6000), 1, String(typed));
});
