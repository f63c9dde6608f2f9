/**
 * The optimizer's group of a parameter, in words.
 *
 * @typedef {import("../wire.js").OptimizerGroup} OptimizerGroup
 * @typedef {OptimizerGroup["options"][string]} OptionValue
 */
import { ownOf } from "../base/own.js";
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
  const told = sortedOptions(Object.keys(options).filter((name) => options[name] !== false)).map((name) => optionWords(name, options[name]));
  return `${optimizer}${which} (${plural(held, "parameter")})${told.length > 0 ? `: ${told.join(", ")}` : ""}`;
}

/** Names of options in the order in which a person asks for them. @param {readonly string[]} names */
export function sortedOptions(names) {
  return [...FIRST.filter((name) => names.includes(name)), ...names.filter((name) => !FIRST.includes(name)).sort()];
}

/** @param {string} name */
export function optionLabel(name) {
  return ownOf(WORDS, name) ?? name;
}

/** What an option is set to. @param {OptionValue} value */
export function valueWords(value) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  return [value].flat().map(numberWords).join(" and ");
}

/**
 * @param {string} name
 * @param {OptionValue} value
 */
function optionWords(name, value) {
  return value === true ? optionLabel(name) : `${optionLabel(name)} ${valueWords(value)}`;
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
