/**
 * What the lines are drawn from, kept up to date: series are asked for at most once a second, and
 * metrics grow by the live messages after one fetch.
 *
 * @typedef {import("../model/view_url.js").View} View
 * @typedef {import("../wire.js").MetricPoint} MetricPoint
 */
import { getJson } from "../link/api.js";
import { tabOf } from "../model/view_url.js";
import { METRIC_POINTS, Metrics } from "./metrics.js";
import { SeriesStore } from "./series_store.js";

const REFETCH_MS = 900;

export class LineData {
  /**
   * @param {string} api
   * @param {(request: () => Promise<void>) => Promise<void>} guard runs a request, shows its failure
   * @param {() => void} onChange new data has come
   */
  constructor(api, guard, onChange) {
    this.api = api;
    this.guard = guard;
    this.onChange = onChange;
    this.series = new SeriesStore(api);
    this.metrics = new Metrics();
    this.metricsStale = true;
    /** Whether the server has ever told what metrics there are. */
    this.metricsKnown = false;
    /** @type {MetricPoint[]} that came while metrics were fetched */
    this.since = [];
    this.fetchedAt = -Infinity;
    this.fetching = false;
    /** Rises with every change. */
    this.version = 0;
  }

  /** Fetch everything whole at the next drawing: something may have been missed. */
  refresh() {
    this.series.refresh();
    this.metricsStale = true;
    this.fetchedAt = -Infinity;
  }

  /** The selection or the tab was changed by hand: do not wait with the next fetch. */
  hurry() {
    this.fetchedAt = -Infinity;
  }

  /**
   * @param {readonly MetricPoint[]} points
   * @param {boolean} complete were none left out?
   */
  addMetrics(points, complete) {
    if (!complete) this.metricsStale = true;
    if (this.fetching) this.since.push(...points);
    this.metrics.add(points);
    this.version += 1;
  }

  /**
   * Ask for what is drawn and missing, when it is due; a failed request is tried again later.
   * @param {View} view
   * @param {number} room points that the chart has room for
   * @param {number | null} latest step of the latest sample
   */
  async fetchMissing(view, room, latest) {
    if (this.fetching || performance.now() - this.fetchedAt < REFETCH_MS) return;
    const missing = this.#missing(view, room, latest);
    if (missing === null) return;
    this.fetching = true;
    this.fetchedAt = performance.now();
    await this.guard(missing);
    this.fetching = false;
    this.since = [];
    this.version += 1;
    this.onChange();
  }

  /**
   * The request for what is missing, or null.
   * @param {View} view
   * @param {number} room
   * @param {number | null} latest
   * @returns {(() => Promise<void>) | null}
   */
  #missing(view, room, latest) {
    this.series.choose(view.stat);
    const byStart = tabOf(view) === "metrics" ? new Map() : this.series.missing(view.selected, room, latest);
    if (byStart.size === 0 && !this.metricsStale) return null;
    return async () => {
      if (byStart.size > 0) await this.series.fetch(view.selected, byStart, room);
      // The metrics also tell where gates were closed, which every chart shows.
      if (this.metricsStale) await this.#fetchMetrics();
    };
  }

  async #fetchMetrics() {
    this.metricsStale = false;
    this.since = [];
    try {
      this.metrics.replace((await getJson(`${this.api}/metrics?points=${METRIC_POINTS}`)).metrics, this.since);
    } catch (error) {
      this.metricsStale = true;
      throw error;
    }
    this.metricsKnown = true;
  }
}
