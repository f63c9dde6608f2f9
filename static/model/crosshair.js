/** The step under the pointer, for whatever shows steps. */
export class Crosshair {
  /** @type {Set<(step: number | null) => void>} */
  #listeners = new Set();
  /** @type {number | null} null while the pointer is in no chart */
  #step = null;

  get step() {
    return this.#step;
  }

  /**
   * Show a step, null for none; listeners hear of a change only.
   * @param {number | null} step
   */
  point(step) {
    if (step === this.#step) return;
    this.#step = step;
    for (const listener of [...this.#listeners]) listener(step);
  }

  /**
   * @param {(step: number | null) => void} listener
   * @returns {() => void} stops it
   */
  listen(listener) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
