/**
 * The head of a run's page: what the job said, how old it is, and whether the server is heard.
 *
 * @typedef {import("../model/run_state.js").RunState} RunState
 */
import { byId, find, setAttribute, setText } from "../base/dom.js";
import { formatAge, formatCost, formatCount, formatJob, formatRate } from "../base/format.js";
import { visible } from "../base/visible.js";
import { openAlertsOf } from "../model/events.js";
import { runName } from "../model/run_name.js";

export class RunHeader {
  constructor() {
    this.facts = byId("facts", HTMLElement);
    this.name = byId("run-name", HTMLElement);
    this.status = byId("status", HTMLElement);
    this.connection = byId("connection", HTMLElement);
    this.connectionBanner = byId("connection-banner", HTMLElement);
    this.runBanner = byId("run-banner", HTMLElement);
    this.figures = byId("figures", HTMLElement);
  }

  /**
   * @param {RunState} state
   * @param {{connected: boolean, lostFor: number | null}} live
   * @param {string} refusal the server's own sentence, or ""
   */
  render(state, live, refusal) {
    this.#connection(live, refusal);
    const { run } = state;
    if (run === null) return;
    const known = live.lostFor === null;
    this.entitle(state);
    setAttribute(this.status, "data-status", known ? run.status : "reconnecting");
    setText(this.status, known ? run.status : `${run.status} when last heard`);
    setText(this.figures, visible(run.figures));
    const skipped = state.skipped && state.sampleStep === state.step;
    this.#fact("step", formatCount(state.step) + (skipped ? " (skipped)" : ""));
    this.#fact("rate", run.status === "live" ? formatRate(run.steps_per_second) : "–");
    this.#fact("age", run.sample_time === null ? "none yet" : `${formatAge(state.ageOf(run.sample_time))} ago`);
    this.#fact("cost", formatCost(run.cost, run.every));
    this.#fact("dropped", formatCount(run.dropped), run.dropped > 0);
    this.#fact("faults", formatCount(run.faults), run.faults > 0);
    this.#fact("job", formatJob(run));
    this.#runBanner(state);
  }

  /** The run's name at the head and in the browser's tab, there with the number of alerts that nobody dismissed. @param {RunState} state */
  entitle({ run, events }) {
    if (run === null) return;
    const name = visible(runName(run));
    setText(this.name, name);
    setAttribute(this.name, "title", run.group === null ? name : `${name}, of the group ${visible(run.group)}`);
    const title = pageTitle(name, openAlertsOf(events, run).count);
    if (document.title !== title) document.title = title;
  }

  /**
   * @param {string} name
   * @param {string} text
   * @param {boolean} [alarm]
   */
  #fact(name, text, alarm = false) {
    const fact = find(this.facts, `[data-fact="${name}"]`);
    setText(fact, text);
    if (fact.parentElement) setAttribute(fact.parentElement, "data-alarm", alarm ? "true" : null);
  }

  /**
   * @param {{connected: boolean, lostFor: number | null}} live
   * @param {string} refusal
   */
  #connection({ connected, lostFor }, refusal) {
    const lost = lostFor !== null;
    setAttribute(this.connection, "data-status", connected ? "live" : "reconnecting");
    setText(this.connection, connected ? "connected" : lost ? "reconnecting" : "connecting");
    if (lost) {
      const why = refusal || "What you see is what was known then.";
      const text = `Connection to the server lost ${formatSeconds(lostFor)} ago, trying again. ${why}`;
      setText(this.connectionBanner, text);
    }
    this.connectionBanner.hidden = !lost;
  }

  /** @param {RunState} state */
  #runBanner(state) {
    const { run } = state;
    if (run === null || run.status === "live") {
      this.runBanner.hidden = true;
      return;
    }
    const seen = run.last_seen === null ? "" : `, last heard ${formatAge(state.ageOf(run.last_seen))} ago`;
    const text =
      run.status !== "lost"
        ? `This run has ${run.status} at step ${formatCount(run.step)}${seen}. All that it recorded stays here, until somebody deletes it.`
        : `The job is lost${seen}: it ended without a word, or cannot reach the server. Its page comes alive when the job is back.`;
    setText(this.runBanner, text);
    this.runBanner.hidden = false;
  }
}

/**
 * @param {string} name of the run
 * @param {number} alerts that nobody has dismissed
 */
export function pageTitle(name, alerts) {
  return `${alerts > 0 ? `(${formatCount(alerts)}) ` : ""}${name} · Gradgate`;
}

/** @param {number} seconds */
function formatSeconds(seconds) {
  return seconds < 90 ? `${Math.floor(seconds)} s` : formatAge(seconds);
}
