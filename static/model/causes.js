/**
 * The causes of explanations, alerts and notes, in the page's words; docs/protocol.md lists them. A new
 * one is an entry of `ENTRIES`.
 *
 * @typedef {import("./states.js").StateName} StateName
 * @typedef {import("./records.js").Cause} CauseName
 * @typedef {import("./records.js").UnaskedCause} UnaskedCause
 * @typedef {object} Cause
 * @property {string} label in the list of troubles: `4 detached`
 * @property {string} word beside the state in a row
 * @property {string} meaning one sentence for the tooltip
 * @property {readonly StateName[]} states in which a parameter has it; none: in each without a useful gradient
 * @property {boolean} wanted is it what somebody wanted?
 */
import { rooted } from "../base/root.js";
import { visible } from "../base/visible.js";
import { TROUBLES } from "./states.js";

/** @type {Readonly<Record<CauseName | UnaskedCause, Cause>>} */
const ENTRIES = Object.freeze({
  frozen_by_script: { label: "frozen by the script", word: "by script", meaning: "The script set requires_grad to False.", states: ["frozen", ...TROUBLES], wanted: true },
  frozen_by_command: { label: "frozen by a command", word: "by command", meaning: "A command froze it.", states: ["frozen"], wanted: true },
  gated: { label: "gated", word: "gated", meaning: "A closed gate kept the gradient away.", states: ["gated"], wanted: true },
  module_not_called: { label: "module not called", word: "not called", meaning: "Its module was not called.", states: [], wanted: false },
  parameter_not_used: { label: "not used", word: "not used", meaning: "Its module ran without it.", states: [], wanted: false },
  no_grad: { label: "no_grad", word: "no_grad", meaning: "It ran with gradients off.", states: [], wanted: false },
  detached: { label: "detached", word: "detached", meaning: "Its result was cut out of the graph.", states: [], wanted: false },
  not_differentiable: { label: "not differentiable", word: "no derivative", meaning: "What used it has no derivative.", states: [], wanted: false },
  not_in_loss: { label: "not in the loss", word: "not in loss", meaning: "Nothing that reaches the loss used it.", states: [], wanted: false },
  zero_gradient: { label: "zero gradient", word: "zero", meaning: "Exact zeros arrived.", states: [...TROUBLES], wanted: false },
  nonfinite: { label: "non-finite", word: "nonfinite", meaning: "NaN or infinity arrived.", states: [...TROUBLES], wanted: false },
  overwritten: { label: "overwritten", word: "overwritten", meaning: "Something wrote over its gradient before the step.", states: [...TROUBLES], wanted: false },
  not_in_optimizer: { label: "not in the optimizer", word: "not applied", meaning: "No optimizer holds it: nobody applies its gradient.", states: ["present", ...TROUBLES], wanted: false },
  no_backward: { label: "no backward", word: "no backward", meaning: "No backward came to it.", states: [], wanted: false },
  not_moving: { label: "does not move", word: "not moving", meaning: "A useful gradient is applied, and the weight stays as it is.", states: ["present"], wanted: false },
  moved_without_gradient: { label: "moved without gradient", word: "moves", meaning: "It changes, though no gradient asks for that.", states: ["frozen", ...TROUBLES], wanted: false },
  not_cleared: { label: "not cleared", word: "not cleared", meaning: "Gradients of earlier steps are applied again and again.", states: ["present"], wanted: false },
  replicas_differ: { label: "replicas differ", word: "replicas differ", meaning: "It has other values on other ranks.", states: ["present"], wanted: false },
  exploding: { label: "exploding", word: "exploding", meaning: "Its gradient has become much larger.", states: ["present"], wanted: false },
  vanishing: { label: "vanishing", word: "vanishing", meaning: "Its gradient shrinks to nothing on its way.", states: ["present"], wanted: false },
  dead_units: { label: "dead units", word: "dead units", meaning: "Some of its units get no gradient.", states: ["present"], wanted: false },
  update_ratio: { label: "unusual updates", word: "unusual updates", meaning: "A step changes it far too little or too much.", states: ["present"], wanted: false },
  wrong_backward: { label: "wrong backward", word: "wrong backward", meaning: "A custom function’s backward is not its derivative.", states: ["present", ...TROUBLES], wanted: false },
  no_step: { label: "no step is seen", word: "no step", meaning: "Backwards go by, and no step of the optimizer is seen.", states: [], wanted: false },
  not_frozen: { label: "not frozen", word: "moves", meaning: "It was expected to keep every bit, and has changed.", states: ["present", "frozen", ...TROUBLES], wanted: false },
  share: { label: "share of trainable numbers", word: "share", meaning: "More or fewer numbers are trainable than expected.", states: [], wanted: false },
  switched_off: { label: "switched off", word: "switched off", meaning: "A part of the probe failed again and again.", states: [], wanted: false },
  unmeasured: { label: "not measured", word: "not measured", meaning: "The probe cannot see its gradient.", states: ["unmeasured"], wanted: false },
  unknown: { label: "cause unknown", word: "cause unknown", meaning: "The traced step did not show why.", states: [], wanted: false },
});

/** @type {ReadonlyMap<string, Cause>} */
const CAUSES = new Map(Object.entries(ENTRIES));

/**
 * A cause from a newer protocol reads as its own name.
 * @param {string} name
 * @returns {Cause}
 */
export function causeOf(name) {
  const label = visible(name.replaceAll("_", " "));
  return CAUSES.get(name) ?? { label, word: label, meaning: "A cause that this page does not know.", states: [], wanted: false };
}

/**
 * The address of what there is to read of a cause, null of one that this page does not know.
 * @param {string} name
 */
export function causePath(name) {
  return CAUSES.has(name) ? rooted(`/causes/${name}`) : null;
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
