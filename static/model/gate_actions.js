/**
 * The actions of gates: what a closed one does with the gradient that arrives. A new one is an entry
 * of `ENTRIES`, and a radio button of the editor's form in run.html.
 *
 * @typedef {import("./gate_sites.js").SiteKind} SiteKind
 * @typedef {import("./records.js").GateAction} GateAction
 * @typedef {import("./records.js").GateRule} GateRule
 *
 * @typedef {object} Action
 * @property {"factor" | "max_norm" | null} field that holds its number
 * @property {(number: number | null) => string} how in words behind the verb, or ""
 * @property {(number: number | null) => string | null} missing in its number, or null
 * @property {(site: {kind: SiteKind, words: string}) => string} consequence of closing it
 */

/** @type {Readonly<Record<GateAction, Action>>} */
const ENTRIES = Object.freeze({
  block: {
    field: null,
    how: () => "",
    missing: () => null,
    consequence: ({ kind, words }) => {
      if (kind === "param") return `While it is closed, ${words} gets no gradient, and the optimizer leaves it alone.`;
      if (kind === "input") return `While it is closed, nothing passes ${words}: the module trains on, and the backward work upstream of it is not done.`;
      return `While it is closed, nothing passes ${words}: the backward work behind it is not done.`;
    },
  },
  scale: {
    field: "factor",
    how: (factor) => `by ${exact(factor)}`,
    missing: (factor) => (factor === null ? "Give the factor, such as 0.1, or −1 to reverse." : null),
    consequence: ({ words }) => `While it is closed, what arrives at ${words} is multiplied by the factor.`,
  },
  clip: {
    field: "max_norm",
    how: (norm) => `to norm ${exact(norm)}`,
    missing: (norm) => (norm !== null && norm > 0 ? null : "Give the largest norm, above 0."),
    consequence: ({ words }) => `While it is closed, what arrives at ${words} is shortened to the norm, where it is longer.`,
  },
});

/** @type {ReadonlyMap<string, Action>} */
const ACTIONS = new Map(Object.entries(ENTRIES));

/**
 * An action from a newer protocol reads as its name alone.
 * @param {string} name
 * @returns {Action}
 */
export function actionOf(name) {
  return ACTIONS.get(name) ?? ENTRIES.block;
}

/**
 * The action whose number a field holds, or null.
 * @param {string} field
 * @returns {GateAction | null}
 */
export function actionOfField(field) {
  for (const [name, action] of ACTIONS) if (action.field === field) return /** @type {GateAction} */ (name);
  return null;
}

/**
 * The number of a rule's action.
 * @param {Pick<GateRule, "action" | "factor" | "max_norm">} rule
 */
export function numberOf(rule) {
  const { field } = actionOf(rule.action);
  return field === null ? null : rule[field];
}

/**
 * `block`, `scale by −1`, `clip to norm 5`.
 * @param {Pick<GateRule, "action" | "factor" | "max_norm">} rule
 */
export function actionWords(rule) {
  const how = actionOf(rule.action).how(numberOf(rule));
  return how === "" ? rule.action : `${rule.action} ${how}`;
}

/** @param {number | null} value as it was typed, with a real minus sign */
function exact(value) {
  return value === null ? "–" : String(value).replace("-", "−");
}
