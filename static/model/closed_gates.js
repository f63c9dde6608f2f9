/**
 * The closed gates at which a parameter's gradient is changed, and since when they are closed.
 *
 * @typedef {import("./records.js").GateRow} GateRow
 * @typedef {import("../wire.js").EventRow} EventRow
 * @typedef {{gate: GateRow, since: number | null}} ClosedGate since: the step, null when the page does not know it
 */
import { gateState } from "./gate_words.js";

/**
 * Find the closed gates of a parameter. A gate names the first of its parameters only, so one that
 * names it not is found by the number that the server told with the parameter's state.
 * @param {Pick<import("./records.js").ParameterRow, "names" | "gate">} parameter
 * @param {readonly GateRow[]} gates
 * @param {readonly EventRow[]} events newest first
 * @returns {ClosedGate[]}
 */
export function closedGates({ names, gate: told }, gates, events) {
  return gates
    .filter((gate) => gateState(gate) === "closed")
    .filter(({ id, parameters }) => id === told || parameters.some((name) => names.includes(name)))
    .map((gate) => ({ gate, since: closedSince(gate.id, events) }));
}

/**
 * @param {number} gate
 * @param {readonly EventRow[]} events newest first
 */
function closedSince(gate, events) {
  const latest = events.find(({ kind, figures }) => kind === "gate" && figures["gate"] === gate);
  return latest?.figures["closed"] === true ? latest.step : null;
}
