/**
 * The dry run on a chart: the norm of the parameter, or a metric that the condition names, with the
 * steps marked at which the gate would have been closed.
 *
 * @typedef {import("../model/records.js").GateDraft} GateDraft
 * @typedef {import("../wire.js").Trial} Trial
 * @typedef {import("../model/run_state.js").RunState} RunState
 * @typedef {import("../charts/metrics.js").Metrics} Metrics
 * @typedef {import("../charts/track.js").Track} Track
 * @typedef {import("./trial_history.js").TrialSubject} TrialSubject
 */
import { find, setText } from "../base/dom.js";
import { visible } from "../base/visible.js";
import { bandsAround, bandsWithin } from "../charts/closed_bands.js";
import { lineFigure } from "../charts/line_figure.js";
import { drawPlot } from "../charts/plot_layout.js";
import { seriesQuery } from "../charts/series_store.js";
import { readTokens } from "../charts/theme_tokens.js";
import { bucketed, stepRange, trackFrom } from "../charts/track.js";
import { getJson } from "../link/api.js";
import { siteWords } from "../model/gate_sites.js";
import { sampleDistance, subjectOf, trialStart } from "./trial_history.js";

const CONFIG = Object.freeze({ doubleClick: "reset+autosize", scrollZoom: false });
const MARGINS = 90;

export class TrialChart {
  /**
   * @param {HTMLElement} box
   * @param {string} api
   * @param {RunState} state
   * @param {Metrics} metrics
   */
  constructor(box, api, state, metrics) {
    this.box = box;
    this.plot = find(box, ".plot");
    this.caption = find(box, ".caption");
    this.api = api;
    this.state = state;
    this.metrics = metrics;
  }

  hide() {
    this.box.hidden = true;
  }

  /**
   * @param {GateDraft} draft
   * @param {Trial} trial
   * @param {AbortSignal} signal
   */
  async show(draft, trial, signal) {
    const { metrics, state } = this;
    const measured = state.gates.filter(({ id }) => metrics.norms.has(id));
    const subject = subjectOf(draft, metrics.names, measured);
    if (subject === null || trial.samples === 0 || trial.closed === null) return this.hide();
    this.box.hidden = false;
    const track = await this.#track(subject, trial, signal);
    if (signal.aborted) return undefined;
    if (track === null || track.steps.length === 0) return this.hide();
    setText(this.caption, captionOf(subject, draft));
    return this.#draw(subject, track, trial);
  }

  get #room() {
    return Math.max(100, this.box.clientWidth - MARGINS);
  }

  /**
   * @param {TrialSubject} subject
   * @param {Trial} trial
   * @param {AbortSignal} signal
   * @returns {Promise<Track | null>}
   */
  async #track(subject, trial, signal) {
    if (subject.kind === "parameter") return this.#series(subject.name, trial, signal);
    const { byName, norms } = this.metrics;
    const metric = subject.kind === "gate" ? norms.get(subject.gate) : byName.get(subject.name);
    if (metric === undefined) return null;
    return bucketed(trackFrom(metric, this.#start(trial)), this.#room);
  }

  /** @param {Trial} trial */
  #start(trial) {
    return trialStart(trial, this.state.sampleStep, this.state.run?.every ?? 1);
  }

  /**
   * @param {string} parameter
   * @param {Trial} trial
   * @param {AbortSignal} signal
   * @returns {Promise<Track>}
   */
  async #series(parameter, trial, signal) {
    const from = this.#start(trial);
    return getJson(`${this.api}/series?${seriesQuery([parameter], this.#room, from)}`, signal);
  }

  /**
   * @param {TrialSubject} subject
   * @param {Track} track
   * @param {Trial} trial
   */
  async #draw(subject, track, trial) {
    const name = subject.kind === "gate" ? "norm" : subject.name;
    const tokens = readTokens();
    const line = { name, ...track, color: tokens["series-1"], mark: "" };
    const range = stepRange([line]);
    const closed = trial.closed ?? [];
    const bands = bandsAround(0, closed, sampleDistance(track.steps, closed));
    const { clientWidth: width, clientHeight: height } = this.plot;
    const figure = lineFigure({
      lines: [line],
      marks: [],
      bands: bandsWithin(bands, range, (range[1] - range[0]) / this.#room),
      bandWords: "would have been closed",
      log: subject.kind !== "metric",
      uirevision: name,
      tokens,
      width,
    });
    await drawPlot(this.plot, figure, { width, height }, CONFIG);
  }
}

/**
 * @param {TrialSubject} subject
 * @param {GateDraft} draft
 */
function captionOf(subject, { site }) {
  if (subject.kind === "gate") return `norm that came to the ${siteWords(site)}`;
  return subject.kind === "parameter" ? `${visible(subject.name)}, gradient norm` : visible(subject.name);
}
