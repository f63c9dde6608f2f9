/**
 * What a parameter is, and what is done with it, in words.
 *
 * @typedef {import("../model/records.js").GateRow} GateRow
 * @typedef {import("../model/records.js").ParameterRow} ParameterRow
 */
import { formatCount, formatShape, plural } from "../base/format.js";
import { visible } from "../base/visible.js";
import { frozenWords } from "../model/frozen_state.js";
import { gateLine } from "../model/gate_words.js";

/**
 * A fact a line: shape, other names, freeze, gates.
 * @param {ParameterRow} row
 * @param {readonly GateRow[]} gates all that there are
 * @returns {string[]}
 */
export function parameterFacts(row, gates) {
  const { name, names, shape, numel, dtype, device, frozen, in_optimizer, removed } = row;
  const own = gates.filter(({ site, parameters }) => site === `param:${name}` || parameters.includes(name));
  return [
    `${formatShape(shape)}, ${plural(numel, "number")}, ${visible(dtype)} on ${visible(device)}`,
    ...(names.length > 1 ? [`Also known as ${names.slice(1).map(visible).join(", ")}: the same tensor`] : []),
    ...(in_optimizer || removed ? [] : ["No optimizer has it"]),
    ...(frozen === null ? [] : [freezeWords(frozen)]),
    ...own.map(gateLine),
  ];
}

/** "Frozen by browser since step 12, without a graph (no_grad)". @param {NonNullable<ParameterRow["frozen"]>} frozen */
function freezeWords(frozen) {
  const { by, since_step, command } = frozen;
  const since = since_step === null ? "" : ` since step ${formatCount(since_step)}`;
  const asked = command === null ? "" : ` (command ${command})`;
  return [`Frozen by ${by === "script" ? "the script" : visible(by)}${since}${asked}`, ...frozenWords(frozen)].join(", ");
}
