/**
 * The way of a gradient from the loss back to a parameter, as it is drawn: long runs are folded.
 *
 * @typedef {import("../wire.js").Station} Station
 * @typedef {{station: Station, folded: 0} | {station: null, folded: number, flow: Station["flow"]}} PathRow
 */
import { plural } from "../base/format.js";
import { visible } from "../base/visible.js";

/** A run of stations alike is never folded when it is not longer. */
const MOST_ALIKE = 5;
/** Stations of a folded run that stay in sight at each end. */
const ENDS = 2;

/**
 * The rows to draw. A way with more stations than there is room for is folded where stations are alike.
 * @param {readonly Station[]} path
 * @param {number} room for so many rows
 * @returns {PathRow[]}
 */
export function pathRows(path, room) {
  return runsOf(path).flatMap((run) => {
    const rows = run.map((station) => /** @type {PathRow} */ ({ station, folded: 0 }));
    if (path.length <= room || run.length <= MOST_ALIKE) return rows;
    const folded = run.length - 2 * ENDS;
    return [...rows.slice(0, ENDS), { station: null, folded, flow: run[0].flow }, ...rows.slice(-ENDS)];
  });
}

/** @param {readonly Station[]} path */
function runsOf(path) {
  /** @type {Station[][]} */
  const runs = [];
  for (const station of path) {
    const last = runs[runs.length - 1];
    if (last !== undefined && last[0].flow === station.flow) last.push(station);
    else runs.push([station]);
  }
  return runs;
}

/**
 * The way in one sentence, for those who do not see the line.
 * @param {readonly Station[]} path
 */
export function pathSentence(path) {
  const counted = (/** @type {Station["flow"]} */ flow) => path.filter((each) => each.flow === flow).length;
  const labels = (/** @type {Station["flow"]} */ flow) => path.filter((each) => each.flow === flow).map(({ label }) => visible(label));
  const stops = labels("stops");
  const turns = labels("turns");
  const flows = `From the loss the gradient flows through ${plural(counted("flows"), "station")}`;
  if (turns.length > 0) return `${flows}, turns into NaN or infinity at ${turns.join(" and at ")}, and comes so to ${plural(counted("nonfinite"), "station")} behind.`;
  if (stops.length === 0) return `${flows}.`;
  return `${flows}, stops at ${stops.join(" and at ")}, and does not come to ${plural(counted("none"), "station")} behind.`;
}

/**
 * A location in code without its folders: `train.py:41`.
 * @param {string} where
 */
export function shortLocation(where) {
  return where.slice(Math.max(where.lastIndexOf("/"), where.lastIndexOf("\\")) + 1);
}
