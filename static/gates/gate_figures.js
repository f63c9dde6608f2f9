/**
 * What gates have done so far, in words.
 *
 * @typedef {import("../model/records.js").GateRow} GateRow
 */
import { formatCount, formatNumber, formatPercent, plural } from "../base/format.js";
import { gateState } from "../model/gate_words.js";

/**
 * The share of steps in which a gate was closed.
 * @param {Pick<GateRow, "steps" | "closed_steps">} gate
 */
export function shareWords({ steps, closed_steps }) {
  if (steps === 0) return "not reached yet";
  return `closed ${formatPercent(closed_steps / steps)} of ${plural(steps, "step")}`;
}

/**
 * The norms in and out: `12.3 → 0`.
 * @param {Pick<GateRow, "norm_in" | "norm_out">} gate
 */
export function normsWords({ norm_in, norm_out }) {
  if (norm_in === null && norm_out === null) return "not measured";
  return `${formatNumber(norm_in)} → ${formatNumber(norm_out)}`;
}

/**
 * The tab's count: `2, 1 closed`.
 * @param {readonly GateRow[]} gates
 */
export function gateCount(gates) {
  const closed = gates.filter((gate) => gateState(gate) === "closed").length;
  const troubled = gates.filter(({ problem }) => problem !== null).length;
  return [
    formatCount(gates.length),
    ...(closed > 0 ? [`${formatCount(closed)} closed`] : []),
    ...(troubled > 0 ? [plural(troubled, "problem")] : []),
  ].join(", ");
}
