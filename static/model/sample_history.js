/**
 * The last samples of every parameter, for the sparklines: a ring of rows.
 *
 * An entry is one sample, or one live frame that stands for several: then it has their lowest and
 * highest norm, so that a spike between two frames is not lost.
 *
 * @typedef {object} Entry
 * @property {number} step
 * @property {ArrayLike<number>} states wire codes; missing ones read as unmeasured
 * @property {ArrayLike<number>} norms one a parameter, NaN for none; missing ones read as NaN
 * @property {ArrayLike<number>} [lows]
 * @property {ArrayLike<number>} [highs]
 *
 * @typedef {{norm: number, low: number, high: number, state: number}} HistoryPoint
 */
import { isPlottable } from "./norm_scale.js";

export class SampleHistory {
  /**
   * @param {number} width parameters
   * @param {number} capacity entries kept
   */
  constructor(width, capacity) {
    this.width = width;
    this.capacity = capacity;
    this.length = 0;
    this.next = 0;
    this.version = 0;
    this.steps = new Float64Array(capacity);
    this.norms = new Float32Array(width * capacity);
    this.lows = new Float32Array(width * capacity);
    this.highs = new Float32Array(width * capacity);
    this.states = new Uint8Array(width * capacity);
    /** The ranges of a version of the entries. */
    this.ranged = { version: -1, lows: new Float32Array(0), highs: new Float32Array(0) };
  }

  /** The step of the oldest entry; -1 without one. */
  get firstStep() {
    return this.length === 0 ? -1 : this.steps[this.#slot(0)];
  }

  /** The step of the newest entry; -1 without one. */
  get lastStep() {
    return this.length === 0 ? -1 : this.steps[(this.next - 1 + this.capacity) % this.capacity];
  }

  /**
   * Add an entry; one that is not newer than the newest is known already.
   * @param {Entry} entry
   */
  push({ step, states, norms, lows = norms, highs = norms }) {
    if (step <= this.lastStep) return;
    const at = this.next * this.width;
    for (let i = 0; i < this.width; i += 1) {
      this.norms[at + i] = norms[i] ?? NaN;
      this.lows[at + i] = lows[i] ?? NaN;
      this.highs[at + i] = highs[i] ?? NaN;
      this.states[at + i] = states[i] ?? 0;
    }
    this.steps[this.next] = step;
    this.next = (this.next + 1) % this.capacity;
    this.length = Math.min(this.length + 1, this.capacity);
    this.version += 1;
  }

  /**
   * Add the entries of another history of the same parameters that are newer than its own.
   * @param {SampleHistory} other
   */
  pushNewer(other) {
    for (let i = 0; i < other.length; i += 1) {
      const at = other.#slot(i);
      const row = (/** @type {Float32Array | Uint8Array} */ from) =>
        from.subarray(at * other.width, (at + 1) * other.width);
      this.push({
        step: other.steps[at],
        states: row(other.states),
        norms: row(other.norms),
        lows: row(other.lows),
        highs: row(other.highs),
      });
    }
  }

  /**
   * The lowest and highest norm of each parameter over all entries, of those that a log scale can show; NaN for none.
   * @returns {{lows: Float32Array, highs: Float32Array}}
   */
  ranges() {
    if (this.ranged.version === this.version) return this.ranged;
    const lows = new Float32Array(this.width).fill(NaN);
    const highs = new Float32Array(this.width).fill(NaN);
    for (let entry = 0; entry < this.length; entry += 1) {
      const at = this.#slot(entry) * this.width;
      for (let i = 0; i < this.width; i += 1) {
        const low = this.lows[at + i];
        const high = this.highs[at + i];
        if (isPlottable(low) && !(low >= lows[i])) lows[i] = low;
        if (isPlottable(high) && !(high <= highs[i])) highs[i] = high;
      }
    }
    this.ranged = { version: this.version, lows, highs };
    return this.ranged;
  }

  /**
   * One parameter's entries, oldest first.
   * @param {number} position
   * @returns {HistoryPoint[]}
   */
  column(position) {
    return Array.from({ length: this.length }, (_, i) => {
      const at = this.#slot(i) * this.width + position;
      return { norm: this.norms[at], low: this.lows[at], high: this.highs[at], state: this.states[at] };
    });
  }

  /** @param {number} i 0 for the oldest */
  #slot(i) {
    return (this.next - this.length + i + this.capacity) % this.capacity;
  }
}
