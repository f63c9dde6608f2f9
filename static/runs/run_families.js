/**
 * Runs that belong together: those of a group (a search, the processes of a pipeline), else the reruns of a
 * name. Of each family what is live is listed, or the latest where nothing is; the rest is folded under it.
 *
 * @typedef {import("../wire.js").RunRow} RunRow
 *
 * @typedef {object} Fold
 * @property {string} family
 * @property {boolean} open
 * @property {string} words what is folded
 *
 * @typedef {object} Listed
 * @property {RunRow} run
 * @property {boolean} folded is it one of those that a fold has opened to?
 * @property {Fold | null} fold behind this run
 */
import { plural } from "../base/format.js";
import { sortedRuns } from "./run_order.js";

/**
 * @param {readonly RunRow[]} runs newest first
 * @param {string} sort
 * @param {ReadonlySet<string>} opened families
 * @returns {readonly Listed[]}
 */
export function foldedRuns(runs, sort, opened) {
  /** @type {Map<string, RunRow[]>} */
  const families = new Map();
  for (const run of runs) {
    const members = families.get(familyOf(run));
    if (members === undefined) families.set(familyOf(run), [run]);
    else members.push(run);
  }
  const heads = new Set([...families.values()].flatMap(headsOf));
  const order = new Set(sortedRuns(runs.filter((run) => heads.has(run)), sort).map(familyOf));
  return [...order].flatMap((family) => listedFamily(family, sortedRuns(families.get(family) ?? [], sort), heads, opened.has(family)));
}

/**
 * List runs as they are, each for itself.
 * @param {readonly RunRow[]} runs
 * @param {string} sort
 * @returns {readonly Listed[]}
 */
export function unfoldedRuns(runs, sort) {
  return sortedRuns(runs, sort).map((run) => ({ run, folded: false, fold: null }));
}

/** @param {RunRow} run */
function familyOf({ group, name }) {
  return group ?? name;
}

/** @param {readonly RunRow[]} family newest first */
function headsOf(family) {
  const live = family.filter(({ status }) => status === "live");
  return live.length > 0 ? live : family.slice(0, 1);
}

/**
 * @param {string} family
 * @param {readonly RunRow[]} members in their order
 * @param {ReadonlySet<RunRow>} heads
 * @param {boolean} open
 * @returns {Listed[]}
 */
function listedFamily(family, members, heads, open) {
  const shown = members.filter((run) => heads.has(run));
  const rest = members.filter((run) => !heads.has(run));
  const fold = rest.length === 0 ? null : { family, open, words: foldWords(family, rest) };
  return [
    ...shown.map((run, i) => ({ run, folded: false, fold: i === shown.length - 1 ? fold : null })),
    ...(open ? rest : []).map((run) => ({ run, folded: true, fold: null })),
  ];
}

/**
 * @param {string} family
 * @param {readonly RunRow[]} rest
 */
function foldWords(family, rest) {
  const what = rest.some(({ group }) => group !== null) ? `${plural(rest.length, "more run")} in ${family}` : plural(rest.length, "earlier run");
  const alerts = rest.reduce((sum, run) => sum + run.open_alerts, 0);
  return alerts === 0 ? what : `${what}, ${plural(alerts, "open alert")}`;
}
