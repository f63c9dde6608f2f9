/**
 * Gradient norms of runs side by side, by the name of the parameter.
 *
 * @typedef {import("./compared_run.js").ComparedRun} ComparedRun
 *
 * @typedef {object} NormCell
 * @property {number | null} norm null where the run has none
 * @property {string} state "" where the run has no such parameter
 * @property {number | null} doublings log₂ of the norm to that of the first run; null for none
 *
 * @typedef {object} NormRow
 * @property {string} name
 * @property {NormCell[]} cells one a run
 */

/**
 * @param {readonly ComparedRun[]} runs the first of which the others are held against
 * @returns {NormRow[]} the largest differences first, then what has no ratio, in the order of the model
 */
export function normRows(runs) {
  const byName = runs.map(({ norms }) => new Map(norms.map((each) => [each.name, each])));
  const names = [...new Set(byName.flatMap((each) => [...each.keys()]))];
  const rows = names.map((name) => {
    const first = byName[0]?.get(name)?.grad_norm ?? null;
    const cells = byName.map((each) => {
      const parameter = each.get(name);
      const norm = parameter?.grad_norm ?? null;
      return { norm, state: parameter?.state ?? "", doublings: doublings(norm, first) };
    });
    return { name, cells };
  });
  return rows.map((row, place) => ({ row, place, size: difference(row) }))
    .sort((a, b) => b.size - a.size || a.place - b.place)
    .map(({ row }) => row);
}

/**
 * How far apart a row is: one whose states differ is further than any ratio.
 * @param {NormRow} row
 */
function difference({ cells }) {
  if (cells.some(({ state }) => state !== cells[0].state)) return Infinity;
  return Math.max(-1, ...cells.flatMap(({ doublings }) => (doublings === null ? [] : [Math.abs(doublings)])));
}

/**
 * @param {number | null} norm
 * @param {number | null} first
 */
function doublings(norm, first) {
  if (norm === null || first === null || !(norm > 0) || !(first > 0)) return null;
  return Math.log2(norm / first);
}
