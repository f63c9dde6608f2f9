/**
 * The parameter that is looked at closely, and what the job has told of it: nothing is computed of any other.
 *
 * @typedef {import("../wire.js").FocusChanged} FocusChanged
 * @typedef {import("../wire.js").SeenDistributions} SeenDistributions
 */
export class Focus {
  constructor() {
    /** @type {number | null} place in the table */
    this.position = null;
    /** @type {SeenDistributions | null} the latest */
    this.seen = null;
    /** Why the job does not look at it, or "". */
    this.problem = "";
  }

  /** Look at another parameter, or at none. @param {number | null} position */
  turn(position) {
    if (position === this.position) return;
    this.position = position;
    this.seen = null;
    this.problem = "";
  }

  /** What the page asks for, as the server wants it. */
  get asked() {
    return this.position === null ? [] : [this.position];
  }

  /** @param {Pick<FocusChanged, "problem">} told */
  answer({ problem }) {
    this.problem = problem ?? "";
  }

  /** What comes late of a parameter that was looked at before is passed over. @param {readonly SeenDistributions[]} rows */
  take(rows) {
    this.seen = rows.find(({ parameter }) => parameter === this.position) ?? this.seen;
  }
}
