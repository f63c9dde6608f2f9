/**
 * The filter's verdict on every parameter, made anew only after something has changed.
 *
 * @typedef {import("../model/run_state.js").RunState} RunState
 */
import { Memo } from "../base/memo.js";
import { stateOf } from "../model/states.js";
import { parseFilter } from "./filter.js";

export class FilterMatch {
  constructor() {
    this.madeFor = new Memo();
    /** @type {Uint8Array | null} */
    this.matched = null;
  }

  /**
   * 1 for each parameter that the filter lets through, or null without a filter.
   * @param {string} filter
   * @param {RunState} state
   */
  of(filter, { parameters, states, alerts, notes, verdicts: { causes } }) {
    if (!this.madeFor.differs(filter, parameters, states, alerts, notes, causes)) return this.matched;
    const predicate = parseFilter(filter);
    this.matched =
      predicate === null
        ? null
        : Uint8Array.from(parameters, ({ names }, i) => {
            const known = {
              state: stateOf(states[i]).name,
              cause: causes.get(i) ?? null,
              alert: alerts.has(i),
              note: notes.has(i),
            };
            return names.some((name) => predicate(name, known)) ? 1 : 0;
          });
    return this.matched;
  }
}
