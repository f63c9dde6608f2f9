/**
 * Completion of the names that a condition knows.
 *
 * @typedef {object} Suggestion
 * @property {string} name
 * @property {string} meaning
 * @property {string} text what is put in
 */

/** @type {readonly (readonly [string, string])[]} */
const OWN = Object.freeze([
  ["norm", "L2 norm of the gradient that arrives"],
  ["norm_avg", "its average over about 10 arrivals before"],
  ["update_ratio", "how far the latest step looked at moved the parameter, to its norm"],
  ["weight_norm", "L2 norm of the parameter"],
  ["step", "the step"],
  ["closed", "was the gate closed in the step before"],
]);
const FUNCTIONS = Object.freeze(["abs", "min", "max", "sqrt", "log", "exp", "isfinite", "isnan"]);
const MOST = 8;
const WORD_BEFORE = /[A-Za-z_][A-Za-z0-9_]*$/;
const WORD_AFTER = /^[A-Za-z0-9_]*/;

/**
 * The name under which a condition knows a metric.
 * @param {string} metric
 */
export function nameOfMetric(metric) {
  return metric.replace(/[^A-Za-z0-9_]/g, "_");
}

/**
 * The name that the caret stands in or behind, or null.
 * @param {string} text
 * @param {number} caret
 */
export function wordAt(text, caret) {
  const before = WORD_BEFORE.exec(text.slice(0, caret));
  if (before === null) return null;
  const after = WORD_AFTER.exec(text.slice(caret))?.[0] ?? "";
  return { start: before.index, end: caret + after.length, prefix: before[0] };
}

/**
 * What a beginning can become; nothing where it is a whole name already and no other begins so.
 * @param {string} prefix
 * @param {readonly string[]} metrics as conditions name them
 * @returns {Suggestion[]}
 */
export function suggestions(prefix, metrics) {
  const own = new Set([...OWN.map(([name]) => name), ...FUNCTIONS]);
  const logged = [...new Set(metrics)].filter((name) => !own.has(name));
  const all = [
    ...OWN.map(([name, meaning]) => ({ name, meaning, text: name })),
    ...logged.map((name) => ({ name, meaning: "metric", text: name })),
    ...FUNCTIONS.map((name) => ({ name, meaning: "function", text: `${name}(` })),
  ];
  const found = all.filter(({ name }) => name.toLowerCase().startsWith(prefix.toLowerCase()));
  return found.length === 1 && found[0].text === prefix ? [] : found.slice(0, MOST);
}

/**
 * The text with a suggestion in the word's place, and where the caret is then.
 * @param {string} text
 * @param {{start: number, end: number}} word
 * @param {Suggestion} suggestion
 */
export function completed(text, { start, end }, suggestion) {
  const rest = text.slice(end);
  const put = suggestion.text.endsWith("(") && rest.startsWith("(") ? suggestion.name : suggestion.text;
  return { text: text.slice(0, start) + put + rest, caret: start + put.length };
}
