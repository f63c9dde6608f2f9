/**
 * What the lines are drawn from, kept up to date: series are asked for at most once a second, and
 * metrics grow by the live messages after one fetch. Where a range of steps is looked at, both are
 * fetched finer for it; until they are there, and where they cannot be had, the whole run's are shown.
 *
 * @typedef {import("../model/view_url.js").View} View
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 * @typedef {import("../wire.js").MetricPoint} MetricPoint
 * @typedef {import("./track.js").Track} Track
 *
 * @typedef {object} Shown what is known of what is looked at
 * @property {ReadonlyMap<string, Track>} series of the selected parameters
 * @property {Metrics} metrics of the whole run
 * @property {Metrics} near those of the range, or else of the whole run
 * @property {boolean} coarse is some of it of the whole run, though a range of it is looked at?
 */
import { getJson } from "../link/api.js";
import { covers, sameRange } from "../model/step_range.js";
import { tabOf } from "../model/view_url.js";
import { METRIC_POINTS, Metrics } from "./metrics.js";
import { RangeMetrics } from "./range_metrics.js";
import { SeriesStore } from "./series_store.js";
import { stepRange } from "./track.js";

const REFETCH_MS = 900;
/** So many points of steps before the latest are of a job that was resumed: fewer may have been on their way. */
const BEHIND = 4;

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
    this.rangeSeries = new SeriesStore(api);
    this.metrics = new Metrics();
    this.rangeMetrics = new RangeMetrics(api);
    this.metricsStale = true;
    /** Whether the server has ever told what metrics there are. */
    this.metricsKnown = false;
    /** How many points have come, one after the other, of steps before the latest that is known. */
    this.behind = 0;
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
    this.rangeSeries.refresh();
    this.metricsStale = true;
    this.rangeMetrics.stale = true;
    this.fetchedAt = -Infinity;
  }

  /** What is looked at was changed by hand: do not wait with the next fetch. */
  hurry() {
    this.fetchedAt = -Infinity;
  }

  /** The first and the last step that any line of the whole run has; null while none is known. @returns {StepRange | null} */
  get steps() {
    const [first, last] = stepRange([...this.series.byName.values(), ...this.metrics.tracks.map(([, track]) => track)]);
    return first <= last ? [first, last] : null;
  }

  /**
   * @param {readonly MetricPoint[]} points
   * @param {boolean} complete were none left out?
   */
  addMetrics(points, complete) {
    const [, reached] = stepRange(this.metrics.tracks.map(([, track]) => track));
    this.behind = points.every(({ step }) => step < reached) ? this.behind + points.length : 0;
    if (!complete || this.behind >= BEHIND) {
      this.behind = 0;
      this.metricsStale = true;
      this.rangeMetrics.stale = true;
    }
    if (this.fetching) this.since.push(...points);
    this.metrics.add(points);
    this.rangeMetrics.add(points);
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
    const { range, stat, selected } = view;
    const series = range === null ? this.series : this.rangeSeries;
    this.series.choose(stat);
    this.rangeSeries.choose(stat, range ?? this.rangeSeries.range);
    const byStart = tabOf(view) === "metrics" ? new Map() : series.missing(selected, room, latest);
    const misses = () => range !== null && this.rangeMetrics.misses(range, this.#namesOf(view));
    if (byStart.size === 0 && !this.metricsStale && !misses()) return null;
    return async () => {
      if (byStart.size > 0) await series.fetch(selected, byStart, room, latest);
      // The metrics also tell where gates were closed, which every chart shows.
      if (this.metricsStale) await this.#fetchMetrics();
      if (range !== null && misses()) await this.rangeMetrics.fetch(range, this.#namesOf(view), this.metrics);
    };
  }

  /** The metrics that a range is looked at for. @param {View} view */
  #namesOf(view) {
    const shown = tabOf(view) === "metrics" ? this.metrics.shown(view.metrics) : [];
    return [...shown, ...this.metrics.closedNames];
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

  /**
   * The finest that is known of what is looked at.
   * @param {View} view
   * @returns {Shown}
   */
  shown(view) {
    const { metrics, rangeMetrics } = this;
    const { range } = view;
    if (range === null) return { series: this.#held(this.series, view), metrics, near: metrics, coarse: false };
    const names = this.#namesOf(view);
    const fine = rangeMetrics.has(range, names);
    /** @type {Map<string, Track>} */
    const series = new Map();
    let coarse = tabOf(view) === "metrics" && !fine;
    for (const name of tabOf(view) === "metrics" ? [] : view.selected) {
      const found = this.#seriesWithin(name, range, view);
      if (found.track !== undefined) series.set(name, found.track);
      coarse ||= found.coarse;
    }
    return { series, metrics, near: fine ? rangeMetrics.metrics : metrics, coarse };
  }

  /**
   * @param {string} name
   * @param {StepRange} range
   * @param {View} view
   * @returns {{track: Track | undefined, coarse: boolean}}
   */
  #seriesWithin(name, range, view) {
    const near = this.#held(this.rangeSeries, view).get(name);
    if (near !== undefined && covers(near.range, range)) return { track: near, coarse: !sameRange(near.range, range) };
    return { track: this.#held(this.series, view).get(name) ?? near, coarse: true };
  }

  /**
   * What a store holds of the statistic that is looked at: nothing while it still has another.
   * @param {SeriesStore} store
   * @param {View} view
   * @returns {SeriesStore["byName"]}
   */
  #held(store, { stat }) {
    return store.stat === stat ? store.byName : new Map();
  }
}
