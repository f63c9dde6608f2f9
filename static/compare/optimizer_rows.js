/**
 * How the optimizers of runs differ: their kinds, and each option, as a row of text.
 *
 * @typedef {import("../wire.js").OptimizerGroup} OptimizerGroup
 * @typedef {import("../model/optimizer_groups.js").OptionValue} OptionValue
 *
 * @typedef {object} OptimizerRow
 * @property {string} name
 * @property {string[]} values one a run
 * @property {string[]} keys what differs where the runs do, also behind what the values show
 */
import { ownOf } from "../base/own.js";
import { capitalized } from "../base/format.js";
import { optionLabel, sortedOptions, valueWords } from "../model/optimizer_groups.js";

const NONE = "–";
/** Values of one option that are told of one run: of layers with rates of their own there may be hundreds. */
const MOST_VALUES = 4;

/**
 * @param {readonly (readonly OptimizerGroup[])[]} runs the groups of each
 * @returns {OptimizerRow[]}
 */
export function optimizerRows(runs) {
  const numbers = [...new Set(runs.flatMap((groups) => groups.map(({ number }) => number)))].sort((a, b) => a - b);
  return numbers.flatMap((number) => {
    const own = runs.map((groups) => groups.filter((each) => each.number === number));
    const prefix = numbers.length > 1 ? `Optimizer ${number + 1}: ` : "";
    const names = sortedOptions([...new Set(own.flat().flatMap(({ options }) => Object.keys(options)))]);
    const kinds = own.map(([group]) => group?.optimizer ?? NONE);
    return [
      { name: `${prefix}${prefix === "" ? "Optimizer" : "kind"}`, values: kinds, keys: kinds },
      ...names.map((name) => optionRow(`${prefix}${prefix === "" ? capitalized(optionLabel(name)) : optionLabel(name)}`, own.map((groups) => groups.map(({ options }) => ownOf(options, name))))),
    ];
  });
}

/**
 * @param {string} name
 * @param {(OptionValue | undefined)[][]} runs of each run a value for each group
 * @returns {OptimizerRow}
 */
function optionRow(name, runs) {
  return { name, values: runs.map(valuesOf), keys: runs.map((values) => JSON.stringify(values)) };
}

/**
 * "0.001", or "0.001 in groups 1 and 2, 0.0001 in group 3" where groups differ.
 * @param {readonly (OptionValue | undefined)[]} values one a group
 */
function valuesOf(values) {
  /** @type {Map<string, number[]>} groups by value */
  const groups = new Map();
  values.forEach((value, group) => {
    const words = value === undefined ? NONE : valueWords(value);
    groups.set(words, [...(groups.get(words) ?? []), group + 1]);
  });
  if (groups.size <= 1) return [...groups.keys()][0] ?? NONE;
  const told = [...groups].slice(0, MOST_VALUES).map(([words, own]) => `${words} in ${groupsWords(own)}`);
  const more = groups.size - told.length;
  return told.join(", ") + (more > 0 ? `, and ${more} more values` : "");
}

/** @param {readonly number[]} groups */
function groupsWords(groups) {
  const [first, last] = [groups[0], groups[groups.length - 1]];
  if (groups.length === 1) return `group ${first}`;
  return last - first + 1 === groups.length && groups.length > 2 ? `groups ${first} to ${last}` : `groups ${groups.join(", ")}`;
}
