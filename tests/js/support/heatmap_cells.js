/** Heat maps for the tests. */
import { Cells } from "../../../static/heatmap/cells.js";

/**
 * Cells of single steps from 0, a row for each list of shades; all are present unless states are given.
 * @param {number[][]} shades
 * @param {Partial<import("../../../static/heatmap/cells.js").PackedHeatmap> & {codes?: number[][]}} [changes]
 */
export function cellsOf(shades, { codes, ...changes } = {}) {
  const first = changes.first ?? shades[0].map((_, i) => i);
  return new Cells({
    first,
    last: first,
    rows: shades.map((_, row) => `row${row}`),
    parameters: shades.map(() => 1),
    range: [-2, 2],
    shades: Uint8Array.from(shades.flat()),
    states: Uint8Array.from((codes ?? shades.map((row) => row.map(() => 1))).flat()),
    ...changes,
  });
}
