/**
 * The filter's verdict on every parameter, made anew only after something has changed.
 *
 * @typedef {import("../model/run_state.js").RunState} RunState
 * @typedef {import("./no_match.js").NoMatch} NoMatch
 */
import { Memo } from "../base/memo.js";
import { stateOf } from "../model/states.js";
import { parseFilter } from "./filter.js";
import { explainNoMatch } from "./no_match.js";

export class FilterMatch {
  constructor() {
    this.madeFor = new Memo();
    /** @type {Uint8Array | null} */
    this.matched = null;
    /** @type {NoMatch | null} why nothing matches */
    this.nothing = null;
  }

  /**
   * 1 for each parameter that the filter lets through, or null without a filter.
   * @param {string} filter
   * @param {RunState} state
   */
  of(filter, state) {
    const { parameters, states, alerts, notes, verdicts: { causes } } = state;
    if (!this.madeFor.differs(filter, parameters, states, alerts, notes, causes)) return this.matched;
    this.matched = matchOf(filter, state);
    const empty = this.matched !== null && parameters.length > 0 && !this.matched.includes(1);
    this.nothing = empty ? explainNoMatch(filter, (other) => countOf(other, state)) : null;
    return this.matched;
  }
}

/**
 * @param {string} filter
 * @param {RunState} state
 */
function matchOf(filter, { parameters, states, alerts, notes, verdicts: { causes } }) {
  const predicate = parseFilter(filter);
  if (predicate === null) return null;
  return Uint8Array.from(parameters, ({ names }, i) => {
    const known = {
      state: stateOf(states[i]).name,
      cause: causes.get(i) ?? null,
      alert: alerts.has(i),
      note: notes.has(i),
    };
    return names.some((name) => predicate(name, known)) ? 1 : 0;
  });
}

/**
 * @param {string} filter
 * @param {RunState} state
 */
function countOf(filter, state) {
  return matchOf(filter, state)?.reduce((sum, each) => sum + each, 0) ?? 0;
}
