/**
 * The time since a moment. The steady clock may stand while the machine sleeps, and the clock on the wall may be set:
 * the one that has gone further is right more often.
 */

/** @typedef {{steady: () => number, wall: () => number}} Clocks both in ms */

/** @type {Clocks} */
const CLOCKS = Object.freeze({ steady: () => performance.now(), wall: () => Date.now() });

export class Since {
  /** It begins now. @param {Clocks} [clocks] */
  constructor(clocks = CLOCKS) {
    this.clocks = clocks;
    this.steady = clocks.steady();
    this.wall = clocks.wall();
  }

  get ms() {
    return Math.max(this.clocks.steady() - this.steady, this.clocks.wall() - this.wall);
  }

  get seconds() {
    return this.ms / 1000;
  }
}
