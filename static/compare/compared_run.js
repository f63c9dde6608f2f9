/**
 * A run, or some of its steps, as it is compared: what the server tells of it.
 *
 * @typedef {import("../wire.js").RunRow} RunRow
 * @typedef {import("../wire.js").CommandRow} CommandRow
 * @typedef {import("../wire.js").MetricRow} MetricRow
 * @typedef {import("../wire.js").OptimizerGroup} OptimizerGroup
 * @typedef {import("../model/records.js").ParameterRow} ParameterRow
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 * @typedef {import("./alignment.js").Timeline} Timeline
 * @typedef {import("./sides.js").Side} Side
 *
 * @typedef {object} Norm of a parameter, or of a module where there are too many of them
 * @property {string} name
 * @property {number} parameters how many
 * @property {number | null} grad_norm
 * @property {string} state
 *
 * @typedef {object} ComparedRun
 * @property {Side} side
 * @property {number} place among the sides of the address, which gives it its colour
 * @property {RunRow} run
 * @property {string} label what it is called: its steps too, when it is not all of them
 * @property {StepRange} steps the first and the last
 * @property {Timeline} times
 * @property {ParameterRow[]} parameters as they are now
 * @property {readonly Norm[]} norms
 * @property {Record<string, MetricRow>} metrics by name
 * @property {CommandRow[]} commands newest first
 * @property {readonly OptimizerGroup[]} optimizers their groups, as the job last told of them
 */
import { formatCount } from "../base/format.js";
import { getColumns, getJson, Refusal } from "../link/api.js";
import { rowsOf } from "../model/packed_rows.js";
import { runName } from "../model/run_name.js";

const POINTS = 800;
const MOST_COMMANDS = 1000;
const MOST_NORMS = 4096;

/**
 * @param {Side} side
 * @param {number} place
 * @param {boolean} isMean are norms wanted over all steps, since some side is a range? Else the latest are.
 * @returns {Promise<ComparedRun>}
 */
export async function fetchRun(side, place, isMean) {
  const api = `/api/runs/${encodeURIComponent(side.id)}`;
  const steps = rangeQuery(side);
  const [run, packed, metrics, times, commands, optimizers, means] = await Promise.all([
    getJson(api),
    getColumns(`${api}/parameters`),
    metricsOf(`${api}/metrics?points=${POINTS}${steps}`),
    getJson(`${api}/times?points=${POINTS}${steps}`),
    getJson(`${api}/commands?limit=${MOST_COMMANDS}`),
    getJson(`${api}/optimizers`),
    isMean ? getJson(`${api}/heatmap?of=mean&columns=1&rows=${MOST_NORMS}${steps}`) : null,
  ]);
  const parameters = rowsOf(packed);
  return {
    side,
    place,
    run,
    label: side.range === null ? runName(run) : `${runName(run)}, steps ${side.range.map(formatCount).join(" to ")}`,
    steps: side.range ?? [0, run.step],
    times,
    parameters,
    norms: means === null ? parameters.map(latestOf) : means.rows.map(meanOf),
    metrics,
    commands: commands.commands,
    optimizers: optimizers.groups,
  };
}

/** @param {Side} side */
export function rangeQuery({ range }) {
  return range === null ? "" : `&from=${range[0]}&to=${range[1]}`;
}

/**
 * The metrics of some steps: none where nothing was logged, which the server refuses to answer.
 * @param {string} path
 * @returns {Promise<Record<string, MetricRow>>}
 */
async function metricsOf(path) {
  try {
    return (await getJson(path)).metrics;
  } catch (error) {
    if (error instanceof Refusal) return {};
    throw error;
  }
}

/**
 * What the latest sample has: of a state without a gradient that arrived, such as frozen, the row still tells an
 * older norm.
 * @param {ParameterRow} row
 * @returns {Norm}
 */
export function latestOf({ name, grad_norm, state }) {
  return { name, parameters: 1, grad_norm: state === "present" ? grad_norm : null, state };
}

/** @param {{name: string, parameters: number, values: (number | null)[], states: string[]}} row @returns {Norm} */
function meanOf({ name, parameters, values, states }) {
  return { name, parameters, grad_norm: values[0] ?? null, state: states[0] ?? "unmeasured" };
}
