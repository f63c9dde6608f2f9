/**
 * What the line chart draws: series of the selected parameters, and the metrics.
 *
 * Series are fetched again at most once a second while new samples come; metrics grow by the live
 * messages after one fetch.
 *
 * @typedef {import("../wire.js").Series} Series
 * @typedef {import("../wire.js").Metric} Metric
 * @typedef {import("../lib/url.js").View} View
 * @typedef {import("../lib/linesfigure.js").Line} Line
 * @typedef {import("./linechart.js").KeyEntry} KeyEntry
 */
import { MAX_SELECTED, tabOf } from "../lib/url.js";
import { getJson } from "./api.js";

const REFETCH_MS = 1000;
const METRICS_KEPT = 2000;

export class LinesData {
  /**
   * @param {string} api
   * @param {(request: () => Promise<void>) => Promise<void>} guard runs a request, shows its failure, redraws
   */
  constructor(api, guard) {
    this.api = api;
    this.guard = guard;
    /** @type {Map<string, Series>} */
    this.series = new Map();
    /** @type {Record<string, Metric>} */
    this.metrics = {};
    this.fetchedAt = -Infinity;
    this.fetchedFor = "";
    this.fetching = false;
  }

  /** Fetch everything anew at the next drawing. */
  refresh() {
    this.fetchedAt = -Infinity;
    this.fetchedFor = "";
  }

  /**
   * @param {number} step
   * @param {Record<string, number | null>} values
   */
  addMetrics(step, values) {
    for (const [name, value] of Object.entries(values)) {
      const metric = (this.metrics[name] ??= { steps: [], values: [] });
      const last = metric.steps[metric.steps.length - 1];
      if (last !== undefined && step <= last) continue;
      metric.steps.push(step);
      metric.values.push(value);
      if (metric.steps.length > METRICS_KEPT * 1.25) {
        metric.steps.splice(0, metric.steps.length - METRICS_KEPT);
        metric.values.splice(0, metric.values.length - METRICS_KEPT);
      }
    }
  }

  /**
   * The metrics to show: what the person chose, else the loss, else the first.
   * @param {readonly string[]} chosen
   */
  shownMetrics(chosen) {
    const names = Object.keys(this.metrics);
    const known = names.filter((name) => chosen.includes(name));
    if (known.length > 0) return known;
    const first = names.find((name) => name === "loss") ?? names[0];
    return first === undefined ? [] : [first];
  }

  /**
   * @param {number} at
   * @param {Record<string, string>} tokens
   */
  styleOf(at, tokens) {
    const color = tokens[`series-${(at % MAX_SELECTED) + 1}`];
    return { color, mark: String(at + 1) };
  }

  /**
   * @param {View} view
   * @param {number} room points that the chart has room for
   * @param {Record<string, string>} tokens
   * @returns {{lines: Line[], key: KeyEntry[], everySample: boolean}}
   */
  lines(view, room, tokens) {
    this.#refetch(view, room);
    return tabOf(view) === "metrics"
      ? this.#metricLines(view, tokens)
      : this.#seriesLines(view, room, tokens);
  }

  /**
   * @param {View} view
   * @param {Record<string, string>} tokens
   */
  #metricLines(view, tokens) {
    const shown = this.shownMetrics(view.metrics);
    const all = Object.entries(this.metrics).map(([name, metric], at) => ({
      name,
      ...metric,
      ...this.styleOf(at, tokens),
    }));
    return {
      lines: all.filter(({ name }) => shown.includes(name)),
      key: all.map(({ name, color, mark, values }) => ({
        name,
        color,
        mark,
        value: values[values.length - 1] ?? null,
        shown: shown.includes(name),
      })),
      everySample: true,
    };
  }

  /**
   * @param {View} view
   * @param {number} room
   * @param {Record<string, string>} tokens
   */
  #seriesLines(view, room, tokens) {
    /** @type {Line[]} */
    const lines = [];
    /** @type {KeyEntry[]} */
    const key = [];
    view.selected.forEach((name, at) => {
      const style = this.styleOf(at, tokens);
      const series = this.series.get(name);
      key.push({ name, ...style, value: undefined, shown: true });
      if (series === undefined) return;
      const { steps, values, min, max } = series;
      lines.push({ name, steps, values, min, max, ...style });
    });
    const samples = Math.max(0, ...[...this.series.values()].map((series) => series.samples));
    return { lines, key, everySample: samples <= room };
  }

  /**
   * Ask again for what is drawn, when it is due; a failed request is tried again a second later.
   * @param {View} view
   * @param {number} room
   */
  async #refetch(view, room) {
    const wanted = tabOf(view) === "metrics" ? "metrics" : JSON.stringify(view.selected);
    const early = performance.now() - this.fetchedAt < REFETCH_MS;
    const live = tabOf(view) !== "metrics" && view.selected.length > 0 && !document.hidden;
    if (this.fetching || (wanted === this.fetchedFor && (early || !live))) return;
    this.fetching = true;
    this.fetchedFor = wanted;
    this.fetchedAt = performance.now();
    await this.guard(() =>
      tabOf(view) === "metrics" ? this.#fetchMetrics() : this.#fetchSeries(view.selected, room),
    );
    this.fetching = false;
  }

  async #fetchMetrics() {
    this.metrics = (await getJson(`${this.api}/metrics`)).metrics;
  }

  /**
   * @param {readonly string[]} names
   * @param {number} room
   */
  async #fetchSeries(names, room) {
    if (names.length === 0) {
      this.series.clear();
      return;
    }
    const query = new URLSearchParams({ stat: "grad_norm", points: String(room) });
    for (const name of names) query.append("parameter", name);
    const answer = await getJson(`${this.api}/series?${query}`);
    /** @type {Series[]} */
    const all = answer.series ?? [answer];
    this.series = new Map(all.map((series) => [series.parameter, series]));
  }
}
