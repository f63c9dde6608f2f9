/**
 * The rows of parameters, from the columns in which they travel.
 *
 * @typedef {import("./records.js").ParameterRow} ParameterRow
 *
 * @typedef {object} PackedSparklines the last samples, sample by sample
 * @property {ArrayLike<number>} steps
 * @property {Float32Array} grad_norm steps × parameters
 * @property {Uint8Array} states steps × parameters
 */
import { stateOf } from "./states.js";

/**
 * @param {Record<string, ArrayLike<any>>} columns
 * @returns {ParameterRow[]}
 */
export function rowsOf(columns) {
  const { names, module, shape, numel, dtype, device, in_optimizer, removed, state, frozen, step, gate, cause } = columns;
  const { grad_norm, grad_max, update_ratio, weight_norm } = columns;
  return Array.from({ length: names.length }, (_, index) => ({
    index,
    name: names[index][0],
    names: names[index],
    module: module[index],
    shape: shape[index],
    numel: numel[index],
    dtype: dtype[index],
    device: device[index],
    in_optimizer: in_optimizer[index],
    removed: removed[index],
    state: stateOf(state[index]).name,
    frozen: frozen[index],
    grad_norm: finite(grad_norm[index]),
    grad_max: finite(grad_max[index]),
    update_ratio: finite(update_ratio[index]),
    weight_norm: finite(weight_norm[index]),
    step: step[index],
    gate: gate[index],
    cause: cause[index],
  }));
}

/** @param {number} value */
function finite(value) {
  return Number.isFinite(value) ? value : null;
}
