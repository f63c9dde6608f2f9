/**
 * Gates in words: what one does, and how it stands.
 *
 * @typedef {import("./records.js").GateRule} GateRule
 * @typedef {import("./records.js").GateRow} GateRow
 * @typedef {"closed" | "open" | "paused"} GateState
 */
import { plural } from "../base/format.js";
import { visible } from "../base/visible.js";
import { actionOf, numberOf } from "./gate_actions.js";
import { limitWords } from "./limit.js";

/** @param {Pick<GateRow, "closed" | "paused">} gate @returns {GateState} */
export function gateState({ closed, paused }) {
  if (paused) return "paused";
  return closed ? "closed" : "open";
}

/**
 * The state that a row of the tree shows for its gates: the most telling one.
 * @param {readonly GateRow[]} gates
 * @returns {GateState | null}
 */
export function tellingState(gates) {
  const states = new Set(gates.map(gateState));
  return /** @type {const} */ (["closed", "open", "paused"]).find((state) => states.has(state)) ?? null;
}

/** @param {string} when */
export function isAlways(when) {
  return when.trim() === "True";
}

/** @param {string} when */
export function conditionWords(when) {
  return isAlways(when) ? "always" : `when ${visible(when)}`;
}

/**
 * A rule as the log says it: the verb, and the rest.
 * @param {GateRule} rule
 * @returns {{verb: string, object: string}}
 */
export function ruleWords(rule) {
  const { site, when, action, hold, limit } = rule;
  const how = actionOf(action).how(numberOf(rule));
  const held = hold > 0 ? `, for at least ${plural(hold, "step")}` : "";
  const lasts = limitWords(limit).map((words) => `, ${words}`).join("");
  return { verb: action, object: `${visible(site)}${how && ` ${how}`} ${conditionWords(when)}${held}${lasts}` };
}

/**
 * A gate on one line, for a row's title.
 * @param {GateRow} gate
 */
export function gateLine(gate) {
  const { verb, object } = ruleWords(gate);
  const kept = gate.count > 0 && gateState(gate) === "closed" ? `, keeps ${plural(gate.count, "gradient")} away` : "";
  return `Gate ${gate.id} is ${gateState(gate)}: ${verb} ${object}${kept}`;
}
