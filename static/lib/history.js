/**
 * The last samples of every parameter, for the sparklines: a ring of rows.
 */
export class History {
  /**
   * @param {number} width parameters
   * @param {number} capacity samples kept
   */
  constructor(width, capacity) {
    this.width = width;
    this.capacity = capacity;
    this.length = 0;
    this.next = 0;
    this.norms = new Float32Array(width * capacity);
    this.states = new Uint8Array(width * capacity);
  }

  /**
   * @param {ArrayLike<number>} norms one a parameter, NaN for none; missing ones read as NaN
   * @param {ArrayLike<number>} states wire codes; missing ones read as unmeasured
   */
  push(norms, states) {
    const at = this.next * this.width;
    for (let i = 0; i < this.width; i += 1) {
      this.norms[at + i] = norms[i] ?? NaN;
      this.states[at + i] = states[i] ?? 0;
    }
    this.next = (this.next + 1) % this.capacity;
    this.length = Math.min(this.length + 1, this.capacity);
  }

  /**
   * One parameter's samples, oldest first.
   * @param {number} position
   * @returns {{norm: number, state: number}[]}
   */
  column(position) {
    const start = (this.next - this.length + this.capacity) % this.capacity;
    return Array.from({ length: this.length }, (_, i) => {
      const at = ((start + i) % this.capacity) * this.width + position;
      return { norm: this.norms[at], state: this.states[at] };
    });
  }
}
