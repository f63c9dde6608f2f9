/**
 * The binary sample frame of docs/protocol.md, section 1.
 *
 * @typedef {object} Sample
 * @property {number} covers how many samples the frame stands for
 * @property {number} step
 * @property {number} time seconds since the epoch
 * @property {boolean} skipped the optimizer skipped the step (AMP overflow)
 * @property {Uint8Array} states one wire code a parameter
 * @property {Float32Array} norms NaN where there is none
 * @property {Float32Array} lows lowest norm of the samples that the frame stands for
 * @property {Float32Array} highs highest norm of the samples that the frame stands for
 * @property {Float32Array | null} maxima largest magnitude, where it was measured
 * @property {Float32Array | null} ratios update ratio, NaN for those that it was not measured of
 * @property {Float32Array | null} weights norm of the weight, likewise
 */
import { STATISTICS } from "./statistics.js";

const HEADER_BYTES = 40;
const VERSION = 1;
const KIND_SAMPLE = 1;

/** @param {number} bytes */
function padded(bytes) {
  return Math.ceil(bytes / 8) * 8;
}

/**
 * Read one frame; the arrays are views of the buffer, and assume a little-endian machine.
 * @param {ArrayBuffer} buffer
 * @returns {Sample}
 */
export function decodeSample(buffer) {
  if (buffer.byteLength < HEADER_BYTES) {
    throw new Error(`malformed frame: ${buffer.byteLength} bytes, shorter than its header`);
  }
  const view = new DataView(buffer);
  if (view.getUint8(0) !== 0x47 || view.getUint8(1) !== 0x47) {
    throw new Error("malformed frame: it does not begin with GG");
  }
  if (view.getUint8(2) !== VERSION) {
    throw new Error(`frame of protocol ${view.getUint8(2)}, wanted ${VERSION}: reload the page`);
  }
  if (view.getUint8(3) !== KIND_SAMPLE) {
    throw new Error(`unknown kind of frame: ${view.getUint8(3)}`);
  }
  const statistics = view.getUint8(5);
  const count = view.getUint32(32, true);
  const statesAt = HEADER_BYTES + padded(statistics);
  const valuesAt = statesAt + padded(count);
  const wanted = valuesAt + statistics * count * 4;
  if (buffer.byteLength !== wanted) {
    throw new Error(`malformed frame: ${buffer.byteLength} bytes, wanted ${wanted}`);
  }
  /** @type {Map<number, Float32Array>} */
  const values = new Map();
  for (let k = 0; k < statistics; k += 1) {
    values.set(
      view.getUint8(HEADER_BYTES + k),
      new Float32Array(buffer, valuesAt + k * count * 4, count),
    );
  }
  const { grad_norm, grad_max, update_ratio, weight_norm } = STATISTICS;
  const norms = values.get(grad_norm.code) ?? new Float32Array(count).fill(NaN);
  return {
    covers: Number(view.getBigUint64(8, true)),
    step: Number(view.getBigUint64(16, true)),
    time: view.getFloat64(24, true),
    skipped: (view.getUint8(4) & 1) === 1,
    states: new Uint8Array(buffer, statesAt, count),
    norms,
    lows: values.get(grad_norm.low) ?? norms,
    highs: values.get(grad_norm.high) ?? norms,
    maxima: values.get(grad_max.code) ?? null,
    ratios: values.get(update_ratio.code) ?? null,
    weights: values.get(weight_norm.code) ?? null,
  };
}
