/** Where the parts of the heat map are. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { layoutOf, roomOf, rowAt, TOP } from "../../../static/heatmap/heatmap_layout.js";

test("there is room for a cell of two pixels, and for rows that can be read", () => {
  const { columns, rows } = roomOf(1200, 238);
  assert.ok(columns >= 400 && columns <= 600);
  assert.equal(rows, 16);
});

test("a narrow window has no colour bar, and names have a quarter of it at most", () => {
  const { left, bar } = layoutOf(300, 150, 10);
  assert.equal(bar, 0);
  assert.ok(left <= 75);
});

test("a height is in its row, or in none", () => {
  const layout = layoutOf(1200, 238, 10);
  assert.equal(rowAt(layout, TOP, 10), 0);
  assert.equal(rowAt(layout, TOP + layout.height - 1, 10), 9);
  assert.equal(rowAt(layout, TOP - 1, 10), -1);
  assert.equal(rowAt(layout, TOP + layout.height + 1, 10), -1);
});

test("a few rows fill the height of the panel, and one does not", () => {
  assert.equal(layoutOf(1000, 238, 3).height, 200);
  assert.equal(layoutOf(1000, 238, 1).height, 72);
});
