/**
 * The optimizer's group of a parameter, in words.
 *
 * @typedef {import("../wire.js").OptimizerGroup} OptimizerGroup
 */
import { formatNumber, plural } from "../base/format.js";

/** Options in the order in which a person asks for them; the others follow by name. */
const FIRST = Object.freeze(["lr", "weight_decay", "momentum", "betas"]);
const WORDS = Object.freeze(/** @type {Record<string, string>} */ ({ lr: "learning rate", weight_decay: "weight decay" }));

/**
 * The group that holds a parameter, or null.
 * @param {readonly OptimizerGroup[]} groups
 * @param {number} position of the parameter
 */
export function groupOf(groups, position) {
  return groups.find(({ parameters }) => parameters.some(([first, last]) => first <= position && position <= last)) ?? null;
}

/**
 * "AdamW, group 2 of 3 (12 parameters): learning rate 0.001, weight decay 0.01, betas 0.9 and 0.999".
 * @param {OptimizerGroup} group
 * @param {readonly OptimizerGroup[]} groups all that there are
 */
export function groupWords(group, groups) {
  const { optimizer, number, parameters, options } = group;
  const own = groups.filter((each) => each.number === number);
  const which = own.length > 1 ? `, group ${group.group + 1} of ${own.length}` : "";
  const held = parameters.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  const told = sortedNames(options).map((name) => optionWords(name, options[name]));
  return `${optimizer}${which} (${plural(held, "parameter")})${told.length > 0 ? `: ${told.join(", ")}` : ""}`;
}

/** The options that are not switched off. @param {OptimizerGroup["options"]} options */
function sortedNames(options) {
  const names = Object.keys(options).filter((name) => options[name] !== false);
  return [...FIRST.filter((name) => names.includes(name)), ...names.filter((name) => !FIRST.includes(name)).sort()];
}

/**
 * @param {string} name
 * @param {OptimizerGroup["options"][string]} value
 */
function optionWords(name, value) {
  const word = WORDS[name] ?? name;
  if (value === true) return word;
  return `${word} ${[value].flat().map(numberWords).join(" and ")}`;
}

/**
 * A number as a script has it: 0.999, which three digits would not keep, and 1e−8 too.
 * @param {number | string | boolean} value
 */
function numberWords(value) {
  if (typeof value !== "number") return String(value);
  const exact = String(Number(value.toPrecision(6)));
  return exact.length <= 8 ? exact.replaceAll("-", "−") : formatNumber(value);
}
