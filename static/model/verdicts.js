/**
 * What the latest traced step says of each parameter now, and before it what the model's table says.
 *
 * @typedef {import("../wire.js").Explanation} Explanation
 * @typedef {import("./records.js").Explanations} Explanations
 * @typedef {import("./states.js").StateName} StateName
 *
 * @typedef {object} CauseGroup
 * @property {string} cause
 * @property {number} count
 * @property {string | null} name of the first of them, where the tree has no row for any
 */
import { Memo } from "../base/memo.js";
import { causeOf, fits } from "./causes.js";
import { stateOf, TROUBLES } from "./states.js";

/** @type {Explanations} before the first traced step */
export const UNTRACED = Object.freeze({
  step: null,
  seconds: null,
  ratio: null,
  total: 0,
  left_out: 0,
  by: null,
  command: null,
  time: null,
  explanations: [],
});

const LOOSE = "not_in_optimizer";
/** @type {readonly number[]} */
const NONE = Object.freeze([]);

export class Verdicts {
  constructor() {
    /** @type {Explanations} */
    this.answer = UNTRACED;
    /** @type {Map<number, Explanation>} by position */
    this.byPosition = new Map();
    /** @type {Map<string, Explanation>} */
    this.byName = new Map();
    /** @type {ReadonlyMap<number, string>} the causes that still hold, by position */
    this.causes = new Map();
    this.settled = new Memo();
  }

  /** @param {Explanations} answer */
  set(answer) {
    this.answer = answer;
    this.byName = new Map(answer.explanations.map((each) => [each.name, each]));
    this.byPosition = new Map(
      answer.explanations.flatMap((each) => (each.parameter === null ? [] : [[each.parameter, each]])),
    );
  }

  /**
   * Hold the causes against a sample. One from before the trace says nothing against it.
   * @param {Uint8Array} states by position
   * @param {number | null} sampleStep
   * @param {readonly number[]} [loose] positions of what is in no optimizer, which needs no trace
   */
  settle(states, sampleStep, loose = NONE) {
    const { answer } = this;
    if (!this.settled.differs(answer, states, sampleStep, loose)) return;
    const older = sampleStep === null || answer.step === null || sampleStep <= answer.step;
    const causes = new Map();
    for (const [position, { cause }] of this.byPosition) {
      if (older || fits(cause, stateOf(states[position]).name)) causes.set(position, cause);
    }
    for (const position of loose) {
      if (!causes.has(position) && fits(LOOSE, stateOf(states[position]).name)) causes.set(position, LOOSE);
    }
    if (!sameCauses(causes, this.causes)) this.causes = causes;
  }

  /**
   * The troubles by cause, the most frequent first; those without a row of the tree by themselves.
   * @returns {CauseGroup[]}
   */
  groups() {
    /** @type {Map<string, CauseGroup>} */
    const groups = new Map();
    const add = (/** @type {string} */ cause, /** @type {string | null} */ name) => {
      if (causeOf(cause).wanted) return;
      const key = JSON.stringify([cause, name !== null]);
      const known = groups.get(key);
      if (known === undefined) groups.set(key, { cause, count: 1, name });
      else known.count += 1;
    };
    for (const cause of this.causes.values()) add(cause, null);
    for (const { parameter, cause, name } of this.answer.explanations) if (parameter === null) add(cause, name);
    return [...groups.values()].sort((a, b) => b.count - a.count);
  }

  /**
   * Is there something to ask of a parameter: a trouble, or a cause that nobody wanted?
   * @param {number} position
   * @param {Uint8Array} states
   */
  asks(position, states) {
    if (TROUBLES.includes(stateOf(states[position]).name)) return true;
    const cause = this.causes.get(position);
    return cause !== undefined && !causeOf(cause).wanted;
  }
}

/**
 * @param {ReadonlyMap<number, string>} a
 * @param {ReadonlyMap<number, string>} b
 */
function sameCauses(a, b) {
  return a.size === b.size && [...a].every(([position, cause]) => b.get(position) === cause);
}

/**
 * The other explanations that say the same: cut by the same cause at the same line.
 * @param {readonly Explanation[]} explanations
 * @param {Explanation} one
 */
export function alikeTo(explanations, one) {
  return explanations.filter(
    (each) => each !== one && each.cause === one.cause && each.where === one.where && (one.where !== null || sharesStop(each, one)),
  );
}

/**
 * @param {Explanation} one
 * @param {Explanation} other
 */
function sharesStop(one, other) {
  const stopOf = (/** @type {Explanation} */ { path }) => path.find(({ flow }) => flow === "stops" || flow === "turns")?.label;
  return stopOf(one) === stopOf(other);
}
