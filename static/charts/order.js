/**
 * A sample in the order of the tree, for a chart that draws along the depth of the model.
 *
 * @typedef {import("../wire.js").ParameterRow} ParameterRow
 * @typedef {object} Measured
 * @property {readonly ParameterRow[]} parameters
 * @property {Uint8Array} states
 * @property {Float32Array} norms
 * @property {Float32Array} lows
 * @property {Float32Array} highs
 */

/**
 * @param {readonly number[]} order positions, by place
 * @param {Measured} measured by position
 * @returns {Measured} by place
 */
export function inOrder(order, { parameters, states, norms, lows, highs }) {
  return {
    parameters: order.map((position) => parameters[position]),
    states: Uint8Array.from(order, (position) => states[position]),
    norms: Float32Array.from(order, (position) => norms[position]),
    lows: Float32Array.from(order, (position) => lows[position]),
    highs: Float32Array.from(order, (position) => highs[position]),
  };
}
