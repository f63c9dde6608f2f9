/**
 * The orders of the list of runs: by any column, the largest or the first of the alphabet first, or turned
 * round. What a run does not have comes last, whatever the order.
 *
 * @typedef {import("../wire.js").RunRow} RunRow
 */
import { runName } from "../model/run_name.js";
import { TROUBLES } from "../model/states.js";

/** What each column is sorted by. @type {Readonly<Record<string, (run: RunRow) => string | number | null>>} */
const KEYS = Object.freeze({
  name: runName,
  status: (run) => run.status,
  trouble: troubles,
  step: (run) => run.step,
  rate: (run) => (run.status === "live" ? run.steps_per_second : null),
  seen: (run) => run.last_seen,
  cost: (run) => run.cost,
  parameters: (run) => run.parameters,
  started: (run) => run.started,
  job: (run) => run.host,
});
const NAMES = new Intl.Collator("en", { numeric: true });

/** @param {string} sort */
export function isSort(sort) {
  return Object.hasOwn(KEYS, sort.replace(/^-/, ""));
}

/**
 * What a click on the head of a column makes of an order: numbers begin with the largest, words with the
 * first; the second click turns it round, and the third gives the newest first.
 * @param {string} sort
 * @param {string} column
 */
export function nextRunSort(sort, column) {
  const [first, second] = ["name", "status", "job"].includes(column) ? [column, `-${column}`] : [`-${column}`, column];
  return sort === first ? second : sort === second ? "" : first;
}

/**
 * @template {RunRow} R
 * @param {readonly R[]} runs newest first
 * @param {string} sort
 * @returns {readonly R[]} runs of one value stay newest first
 */
export function sortedRuns(runs, sort) {
  if (sort === "") return runs;
  const turned = sort.startsWith("-");
  const key = KEYS[turned ? sort.slice(1) : sort];
  return runs
    .map((run) => ({ run, value: key(run) }))
    .sort((one, other) => compare(one.value, other.value, turned ? -1 : 1))
    .map(({ run }) => run);
}

/**
 * @param {string | number | null} one
 * @param {string | number | null} other
 * @param {1 | -1} way
 */
function compare(one, other, way) {
  if (one === null || other === null) return Number(one === null) - Number(other === null);
  if (typeof one === "string") return way * NAMES.compare(one, String(other));
  return way * (one - Number(other));
}

/** Alerts weigh more than any number of states, and what is so now more than what was. @param {RunRow} run */
function troubles({ alerts, open_alerts, states }) {
  const counted = TROUBLES.reduce((sum, name) => sum + (states[name] ?? 0), 0);
  return alerts * 1e9 + counted + (open_alerts > 0 ? 0.5 : 0);
}
