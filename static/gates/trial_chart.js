/**
 * The dry run on a chart: the norm of the parameter, or a metric that the condition names, with the
 * steps marked at which the gate would have been closed.
 *
 * @typedef {import("../model/records.js").GateDraft} GateDraft
 * @typedef {import("../wire.js").Trial} Trial
 * @typedef {import("../model/run_state.js").RunState} RunState
 * @typedef {import("../charts/metrics.js").Metrics} Metrics
 * @typedef {import("../charts/track.js").Track} Track
 * @typedef {import("../charts/closed_bands.js").Band} Band
 * @typedef {import("../charts/plotly.js").Figure} Figure
 * @typedef {import("../charts/plot_layout.js").Tokens} Tokens
 * @typedef {import("./trial_history.js").TrialSubject} TrialSubject
 */
import { find, setText } from "../base/dom.js";
import { formatNumber } from "../base/format.js";
import { visible } from "../base/visible.js";
import { bandsAround, bandsWithin } from "../charts/closed_bands.js";
import { lineFigure } from "../charts/line_figure.js";
import { drawPlot } from "../charts/plot_layout.js";
import { seriesQuery } from "../charts/series_store.js";
import { readTokens } from "../charts/theme_tokens.js";
import { stepRange, trackOfMetric, trackOfSeries } from "../charts/track.js";
import { getJson } from "../link/api.js";
import { siteWords } from "../model/gate_sites.js";
import { nameOfMetric } from "./completion.js";
import { sampleDistance, subjectOf, thresholdsOf, trialRange } from "./trial_history.js";

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
    const thresholds = thresholdsOf(draft.when, subject.kind === "metric" ? nameOfMetric(subject.name) : "norm");
    setText(this.caption, captionOf(subject, draft, thresholds));
    return this.#draw(subject, track, trial, thresholds);
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
    const [from, to] = trialRange(trial, this.state.sampleStep, this.state.run?.every ?? 1);
    if (subject.kind === "parameter") {
      return trackOfSeries(await getJson(`${this.api}/series?${seriesQuery([subject.name], this.#room, from, { to })}`, signal));
    }
    const name = subject.kind === "gate" ? `gate ${subject.gate} norm` : subject.name;
    const ends = { from: String(from), to: String(to), points: String(Math.floor(this.#room)) };
    const query = new URLSearchParams({ name, ...ends });
    const { metrics } = await getJson(`${this.api}/metrics?${query}`, signal);
    return trackOfMetric(metrics[name]);
  }

  /**
   * @param {TrialSubject} subject
   * @param {Track} track
   * @param {Trial} trial
   * @param {readonly number[]} thresholds
   */
  async #draw(subject, track, trial, thresholds) {
    const name = subject.kind === "gate" ? "norm" : subject.name;
    const tokens = readTokens();
    const everySample = track.steps.length === track.samples;
    const line = { name, ...track, everySample, color: tokens["series-1"], mark: "" };
    const range = stepRange([line]);
    const closed = trial.closed ?? [];
    const bands = bandsAround(0, closed, sampleDistance(track.steps, closed));
    const { clientWidth: width, clientHeight: height } = this.plot;
    const log = subject.kind !== "metric";
    const within = bandsWithin(bands, range, (range[1] - range[0]) / this.#room);
    const figure = lineFigure({
      panes: [{ lines: [line], log, title: "", also: thresholds }],
      marks: [],
      bands: within,
      bandWords: "would have been closed",
      range: null,
      uirevision: name,
      tokens,
      width,
      height,
    });
    const drawable = thresholds.filter((each) => !log || each > 0);
    figure.data.push(...drawable.map((each) => thresholdTrace(each, range, tokens)), closingTrace(within, tokens));
    await drawPlot(this.plot, figure, { width, height }, CONFIG);
  }
}

/**
 * The number with which the condition compares what is drawn, as a line over all steps.
 * @param {number} threshold
 * @param {readonly [number, number]} range
 * @param {Tokens} tokens
 * @returns {Figure}
 */
function thresholdTrace(threshold, range, tokens) {
  return {
    type: "scatter",
    mode: "lines",
    name: "threshold",
    x: [...range],
    y: [threshold, threshold],
    line: { color: tokens["state-gated"], width: 1, dash: "dash" },
    hovertemplate: `${formatNumber(threshold)}, with which the condition compares<extra></extra>`,
    showlegend: false,
  };
}

/**
 * A mark at the head of the chart wherever it would have closed, however few steps it stayed so.
 * @param {readonly Band[]} bands
 * @param {Tokens} tokens
 * @returns {Figure}
 */
function closingTrace(bands, tokens) {
  return {
    type: "scatter",
    mode: "markers",
    name: "closings",
    yaxis: "y2",
    x: bands.map(({ from, to }) => (from + to) / 2),
    y: bands.map(() => 0.96),
    marker: { symbol: "triangle-down", size: 7, color: tokens["state-gated"] },
    hoverinfo: "skip",
    showlegend: false,
  };
}

/**
 * @param {TrialSubject} subject
 * @param {GateDraft} draft
 * @param {readonly number[]} thresholds
 */
function captionOf(subject, { site }, thresholds) {
  const lines = thresholds.length === 0 ? "" : `; dashed: ${thresholds.map(formatNumber).join(", ")}`;
  if (subject.kind === "gate") return `norm that came to the ${siteWords(site)}${lines}`;
  const name = visible(subject.name);
  return `${subject.kind === "parameter" ? `${name}, gradient norm` : name}${lines}`;
}
