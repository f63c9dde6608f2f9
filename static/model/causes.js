/**
 * The causes of a missing gradient, in the page's words; docs/protocol.md lists them.
 *
 * @typedef {import("../wire.js").StateName} StateName
 * @typedef {object} Cause
 * @property {string} label in the list of troubles: `4 detached`
 * @property {string} word beside the state in a row
 * @property {string} meaning one sentence for the tooltip
 * @property {readonly StateName[]} states in which a parameter has it; none: in each without a useful gradient
 */
import { visible } from "../base/visible.js";
import { TROUBLES } from "./states.js";

/** @type {ReadonlyMap<string, Cause>} */
const CAUSES = new Map([
  cause("frozen_by_script", "frozen by the script", "by script", "The script set requires_grad to False.", "frozen"),
  cause("frozen_by_command", "frozen by a command", "by command", "A command froze it.", "frozen"),
  cause("gated", "gated", "gated", "A closed gate kept the gradient away.", "gated"),
  cause("module_not_called", "module not called", "not called", "Its module was not called."),
  cause("parameter_not_used", "not used", "not used", "Its module ran without it."),
  cause("no_grad", "no_grad", "no_grad", "It ran with gradients off."),
  cause("detached", "detached", "detached", "Its result was cut out of the graph."),
  cause("not_differentiable", "not differentiable", "no derivative", "What used it has no derivative."),
  cause("not_in_loss", "not in the loss", "not in loss", "Nothing that reaches the loss used it."),
  cause("zero_gradient", "zero gradient", "zero", "Exact zeros arrived.", ...TROUBLES),
  cause("nonfinite", "non-finite", "nonfinite", "NaN or infinity arrived.", ...TROUBLES),
  cause("not_in_optimizer", "not in the optimizer", "not applied", "Nobody applies its gradient.", "present", ...TROUBLES),
  cause("no_backward", "no backward", "no backward", "No backward came to it."),
  cause("unknown", "cause unknown", "cause unknown", "The traced step did not show why."),
]);

/**
 * @param {string} name
 * @param {string} label
 * @param {string} word
 * @param {string} meaning
 * @param {...StateName} states
 * @returns {[string, Cause]}
 */
function cause(name, label, word, meaning, ...states) {
  return [name, { label, word, meaning, states }];
}

/**
 * A cause from a newer protocol reads as its own name.
 * @param {string} name
 * @returns {Cause}
 */
export function causeOf(name) {
  const label = visible(name.replaceAll("_", " "));
  return CAUSES.get(name) ?? { label, word: label, meaning: "A cause that this page does not know.", states: [] };
}

/** Is a cause what somebody wanted? @param {string} name */
export function isCalmCause(name) {
  return name === "frozen_by_script" || name === "frozen_by_command" || name === "gated";
}

/**
 * Can a parameter in this state have that cause? What was explained once may train by now.
 * @param {string} name
 * @param {StateName} state
 */
export function fits(name, state) {
  const { states } = causeOf(name);
  return state === "unmeasured" || (states.length === 0 ? TROUBLES : states).includes(state);
}

/**
 * What a row says of a parameter's state and its cause, each only where the other has not said it.
 * @param {StateName} state
 * @param {string | null} name
 * @returns {{state: string | null, cause: string | null}}
 */
export function rowWords(state, name) {
  if (name === null) return { state, cause: null };
  const { word } = causeOf(name);
  if (word === state) return { state, cause: null };
  return { state: state === "present" ? null : state, cause: word };
}
