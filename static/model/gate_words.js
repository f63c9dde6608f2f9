/**
 * Gates in words: what one does, how it stands, and what it has done.
 *
 * @typedef {import("../wire.js").GateRule} GateRule
 * @typedef {import("../wire.js").GateRow} GateRow
 * @typedef {import("../wire.js").GateDraft} GateDraft
 * @typedef {import("../wire.js").UngateDraft} UngateDraft
 * @typedef {"closed" | "open" | "paused"} GateState
 */
import { formatCount, formatNumber, formatPercent, plural } from "../base/format.js";
import { visible } from "../base/visible.js";
import { parseSite, siteWords } from "./gate_sites.js";

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

/**
 * `block`, `scale by −1`, `clip to norm 5`.
 * @param {Pick<GateRule, "action" | "factor" | "max_norm">} rule
 */
export function actionWords({ action, factor, max_norm }) {
  if (action === "scale") return `scale by ${exact(factor)}`;
  return action === "clip" ? `clip to norm ${exact(max_norm)}` : action;
}

/** @param {number | null} value as it was typed, with a real minus sign */
function exact(value) {
  return value === null ? "–" : String(value).replace("-", "−");
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
export function ruleWords({ site, when, action, factor, max_norm, hold }) {
  const how = action === "block" ? "" : ` ${actionWords({ action, factor, max_norm }).slice(action.length + 1)}`;
  const held = hold > 0 ? `, for at least ${plural(hold, "step")}` : "";
  return { verb: action, object: `${visible(site)}${how} ${conditionWords(when)}${held}` };
}

/**
 * What a gate command asks for: the verb, and the rest. The server adds the number of a new gate when
 * the job has made it, so a gate that is made and one that is changed read alike: by what they do then.
 * @param {GateDraft | UngateDraft} draft
 * @returns {{verb: string, object: string}}
 */
export function gateWords(draft) {
  if (draft.kind === "ungate") return { verb: "remove", object: `gate ${draft.gate}` };
  const { verb, object } = ruleWords(draft);
  const which = draft.gate === null ? "a new gate" : `gate ${draft.gate}`;
  if (draft.paused) return { verb: "pause", object: `${which}: ${verb} ${object}` };
  return { verb, object: draft.gate === null ? object : `${object} (${which})` };
}

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
 * A gate on one line, for a row's title.
 * @param {GateRow} gate
 */
export function gateLine(gate) {
  const { verb, object } = ruleWords(gate);
  const kept = gate.count > 0 && gateState(gate) === "closed" ? `, keeps ${plural(gate.count, "gradient")} away` : "";
  return `Gate ${gate.id} is ${gateState(gate)}: ${verb} ${object}${kept}`;
}

/**
 * What a gate will do while it is closed.
 * @param {GateRule} rule
 */
export function consequence(rule) {
  const { kind } = parseSite(rule.site);
  if (rule.action === "scale") return `While it is closed, what arrives at ${at(rule)} is multiplied by the factor.`;
  if (rule.action === "clip") return `While it is closed, what arrives at ${at(rule)} is shortened to the norm, where it is longer.`;
  if (kind === "param") return `While it is closed, ${at(rule)} gets no gradient, and the optimizer leaves it alone.`;
  if (kind === "input") return `While it is closed, nothing passes ${at(rule)}: the module trains on, and the backward work upstream of it is not done.`;
  return `While it is closed, nothing passes ${at(rule)}: the backward work behind it is not done.`;
}

/** @param {GateRule} rule */
function at({ site }) {
  const words = siteWords(site);
  const { kind, name } = parseSite(site);
  if (name === "" && kind === "site") return "the site";
  return kind === "output" || kind === "input" ? `the ${words}` : words;
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
