/**
 * The figures of the parameter that is explained: what it is, its distributions while somebody looks, its
 * statistics over time, its freeze, its gates, and what happened to it.
 *
 * @typedef {import("../charts/plot_layout.js").Tokens} Tokens
 * @typedef {import("../model/run_state.js").RunState} RunState
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 * @typedef {import("../wire.js").EventRow} EventRow
 */
import { find, setText } from "../base/dom.js";
import { Memo } from "../base/memo.js";
import { stateOf } from "../model/states.js";
import { between } from "../model/step_range.js";
import { Courses } from "./courses.js";
import { DistributionFigure } from "./distribution_figure.js";
import { focusWords, missingWords } from "./distribution_words.js";
import { OwnEvents } from "./own_events.js";
import { parameterFacts } from "./parameter_facts.js";

export class ParameterControl {
  /**
   * @param {HTMLElement} box
   * @param {string} api
   * @param {RunState} state
   * @param {object} handlers
   * @param {(request: () => Promise<void>) => Promise<void>} handlers.guard runs a request, shows its failure
   * @param {(event: EventRow) => void} handlers.onShow the steps around an event are asked for
   * @param {(range: StepRange | null) => void} handlers.onRange other steps are to be shown; null for the whole run
   * @param {() => void} handlers.onChange
   */
  constructor(box, api, state, { guard, onShow, onRange, onChange }) {
    this.box = box;
    this.state = state;
    this.facts = find(box, ".about");
    this.seen = find(box, ".seen");
    this.gradient = new DistributionFigure(find(box, ".gradient"), "Gradient");
    this.weight = new DistributionFigure(find(box, ".weight"), "Weight");
    this.courses = new Courses(find(box, ".courses"), api, {
      guard,
      onChange,
      onRange: (range) => onRange(range === null ? null : between(range[0] + 0.5, range[1] - 0.5, [0, state.step])),
    });
    this.events = new OwnEvents(find(box, ".own-events"), api, { guard, onShow, onChange });
    this.drawn = new Memo();
  }

  /**
   * @param {string} name of the parameter, or ""
   * @param {{range: StepRange | null, tokens: Tokens, connected: boolean}} scene
   */
  render(name, { range, tokens, connected }) {
    const { state } = this;
    const position = name === "" ? -1 : state.parameters.findIndex(({ names }) => names.includes(name));
    const row = state.parameters[position];
    state.focus.turn(row === undefined || row.removed ? null : position);
    this.box.hidden = row === undefined;
    if (row === undefined) return;
    this.#drawFacts(position);
    this.#drawDistributions(position, connected);
    this.courses.render(row.name, range, state.sampleStep, tokens);
    this.events.render(row.name, state.events);
  }

  /** Something may have been missed: fetch all again. */
  refresh() {
    this.courses.refresh();
  }

  /** @param {number} position */
  #drawFacts(position) {
    const { parameters, gates } = this.state;
    const facts = parameterFacts(parameters[position], gates);
    if (!this.drawn.differs(...facts)) return;
    this.facts.replaceChildren(...facts.map((fact) => {
      const item = document.createElement("li");
      setText(item, fact);
      return item;
    }));
  }

  /** @param {number} position @param {boolean} connected */
  #drawDistributions(position, connected) {
    const { parameters, states, focus, run } = this.state;
    const { numel, removed, shape } = parameters[position];
    const { seen, problem } = focus;
    const step = seen?.step ?? null;
    setText(this.seen, focusWords({ status: run?.status ?? null, connected, removed, problem, step, stale: seen?.stale }));
    const state = stateOf(states[position]).name;
    const comes = connected && !removed && problem === "" && run?.status === "live";
    for (const [figure, of] of /** @type {const} */ ([[this.gradient, "gradient"], [this.weight, "weight"]])) {
      figure.figure.hidden = seen === null && !comes;
      if (seen !== null) figure.render(seen[of] ?? null, missingWords(of, state), { numel, shape });
      else if (comes) figure.wait(shape.length > 1);
    }
  }
}
