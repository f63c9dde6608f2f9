/**
 * Everything about explanations on a run's page: what the job found, the panel, and asking again.
 *
 * @typedef {import("../model/run_state.js").RunState} RunState
 * @typedef {import("./explanation_words.js").ExplainedParameter} ExplainedParameter
 * @typedef {import("../commands/command_sender.js").CommandSender} CommandSender
 */
import { byId, find } from "../base/dom.js";
import { Memo } from "../base/memo.js";
import { getJson, reasonOf } from "../link/api.js";
import { closedGates } from "../model/closed_gates.js";
import { groupOf, groupWords } from "../model/optimizer_groups.js";
import { stateOf } from "../model/states.js";
import { WhyPanel } from "./why_panel.js";

export class ExplainControl {
  /**
   * @param {string} api
   * @param {RunState} state
   * @param {CommandSender} sender
   * @param {object} handlers
   * @param {(request: () => Promise<void>) => Promise<void>} handlers.guard runs a request, shows its failure
   * @param {(name: string) => void} handlers.onOpen another parameter is to be explained
   * @param {(id: number) => void} handlers.onGate a gate is to be seen
   * @param {() => void} handlers.onClose
   */
  constructor(api, state, sender, { guard, onOpen, onGate, onClose }) {
    this.api = api;
    this.state = state;
    this.sender = sender;
    this.guard = guard;
    this.panel = new WhyPanel(byId("why", HTMLElement), { onAgain: () => this.#ask(), onOpen, onGate, onClose });
    /** The panels that the open one stands before. */
    this.covered = [".panel.lines", ".panel.flow"].map((selector) => find(document, selector));
    this.loaded = false;
    /** Is the latest traced step yet to be fetched? */
    this.outdated = false;
    this.loads = 0;
    this.name = "";
    /** @type {string | null} */
    this.locked = null;
    /** Why the server did not take the latest question, or "". */
    this.refusal = "";
    this.drawn = new Memo();
    /** @type {Element | null} */
    this.before = null;
  }

  /** A step was traced: the next drawing fetches what it showed, so a page that nobody looks at fetches nothing. */
  outdate() {
    this.outdated = true;
  }

  /** Of several answers under way the last asked for counts. */
  async #load() {
    this.outdated = false;
    this.loads += 1;
    const load = this.loads;
    await this.guard(async () => {
      const answer = await getJson(`${this.api}/explanations`);
      if (load !== this.loads) return;
      this.state.verdicts.set(answer);
      this.loaded = true;
    });
  }

  /** The person turned to a parameter, or away: the focus follows. @param {string} name "" to close */
  turn(name) {
    const { element } = this.panel;
    this.refusal = "";
    if (name === "") {
      const back = this.before?.isConnected ? this.before : byId("tree", HTMLElement);
      if (!element.hidden && back instanceof HTMLElement) back.focus({ preventScroll: true });
      this.before = null;
      return;
    }
    if (!element.contains(document.activeElement)) this.before = document.activeElement;
    this.panel.wantsFocus = true;
  }

  /**
   * @param {string} name of the parameter that is explained, or ""
   * @param {string | null} locked why nothing can be asked, or null
   */
  render(name, locked) {
    const { state } = this;
    if (this.outdated) this.#load();
    const open = name !== "" && state.loaded && this.loaded;
    this.name = name;
    this.locked = locked;
    for (const panel of this.covered) panel.inert = open;
    const { states, parameters, commands, verdicts, sampleStep, told, gates, events, optimizers } = state;
    if (!this.drawn.differs(open, name, locked, this.refusal, states, parameters, commands, verdicts.answer, sampleStep, told, gates, events, optimizers)) return;
    if (!open) this.panel.hide();
    else this.panel.show({ name, subject: this.#subject(name), answer: verdicts.answer, commands, locked, refusal: this.refusal, optimizer: this.#optimizer(name) });
  }

  /**
   * @param {string} name
   * @returns {ExplainedParameter}
   */
  #subject(name) {
    const { parameters, states, verdicts, told, gates, events } = this.state;
    const position = parameters.findIndex(({ names }) => names.includes(name));
    if (position < 0) {
      const explanation = verdicts.byName.get(name) ?? null;
      return { state: null, removed: false, explanation, holds: true, known: explanation !== null, told: [], gates: [] };
    }
    const { removed } = parameters[position];
    const explanation = removed ? null : (verdicts.byPosition.get(position) ?? null);
    const holds = verdicts.causes.has(position);
    return {
      state: removed ? null : stateOf(states[position]).name,
      removed,
      explanation,
      holds,
      known: true,
      told: told.get(position) ?? [],
      gates: removed ? [] : closedGates(parameters[position], gates, events),
    };
  }

  /** What holds a parameter, in words; "" where no optimizer is known to. @param {string} name */
  #optimizer(name) {
    const { parameters, optimizers } = this.state;
    const group = groupOf(optimizers.groups, parameters.findIndex(({ names }) => names.includes(name)));
    return group === null ? "" : groupWords(group, optimizers.groups);
  }

  async #ask() {
    if (this.locked !== null) return;
    const known = this.state.parameters.some(({ names, removed }) => !removed && names.includes(this.name));
    try {
      await this.sender.post({ kind: "explain", target: known ? this.name : "*" });
      this.refusal = "";
    } catch (error) {
      this.refusal = reasonOf(error);
    }
    this.render(this.name, this.locked);
  }
}
