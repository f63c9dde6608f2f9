/** Colours of cells. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inksOf } from "../../../static/heatmap/inks.js";
import { STATES } from "../../../static/model/states.js";
import { cellsOf } from "../support/heatmap_cells.js";

test("shades are coloured by the shared domain, and no value has no colour", () => {
  const tokens = Object.fromEntries(["panel", ...STATES.map(({ name }) => `state-${name}`)].map((name) => [name, "#010203"]));
  const { shades, states, ground } = inksOf(cellsOf([[2, 255]]), [0, 4], tokens);
  assert.deepEqual([shades[0], shades[1]], [0, 0]);
  assert.equal(shades[2], 0xff4c2000, "what is below the domain has its lowest colour");
  assert.notEqual(shades[255], shades[254], "what is within has its own");
  assert.deepEqual([states[1], ground], [0xff030201, 0xff030201]);
});
