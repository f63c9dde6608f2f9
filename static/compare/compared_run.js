/**
 * A run as it is compared: what the server tells of it.
 *
 * @typedef {import("../wire.js").RunRow} RunRow
 * @typedef {import("../wire.js").CommandRow} CommandRow
 * @typedef {import("../wire.js").MetricRow} MetricRow
 * @typedef {import("../model/records.js").ParameterRow} ParameterRow
 *
 * @typedef {object} ComparedRun
 * @property {RunRow} run
 * @property {ParameterRow[]} parameters
 * @property {Record<string, MetricRow>} metrics by name
 * @property {CommandRow[]} commands newest first
 */
import { getColumns, getJson } from "../link/api.js";
import { rowsOf } from "../model/packed_rows.js";

const POINTS = 800;
/** How many runs one page compares: as many as there are colours. */
export const MOST_RUNS = 8;

/**
 * The runs that an address names, each once.
 * @param {string} search the query string
 */
export function namedRuns(search) {
  return [...new Set(new URLSearchParams(search).getAll("run"))].slice(0, MOST_RUNS);
}

/**
 * The address of the page that compares runs.
 * @param {readonly string[]} ids
 */
export function compareLink(ids) {
  return `/compare?${new URLSearchParams(ids.map((id) => ["run", id]))}`;
}

/**
 * @param {string} id
 * @returns {Promise<ComparedRun>}
 */
export async function fetchRun(id) {
  const api = `/api/runs/${encodeURIComponent(id)}`;
  const [run, parameters, { metrics }, { commands }] = await Promise.all([
    getJson(api),
    getColumns(`${api}/parameters`),
    getJson(`${api}/metrics?points=${POINTS}`),
    getJson(`${api}/commands`),
  ]);
  return { run, parameters: rowsOf(parameters), metrics, commands };
}
