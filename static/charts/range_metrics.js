/**
 * Metrics over a range of steps, finer than those of the whole run: what the lines show, and where gates
 * were closed. They grow by the live messages as far as the range goes.
 *
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 * @typedef {import("../wire.js").MetricPoint} MetricPoint
 */
import { getJson, Refusal } from "../link/api.js";
import { covers, sameRange } from "../model/step_range.js";
import { METRIC_POINTS, Metrics } from "./metrics.js";
import { stepRange } from "./track.js";

export class RangeMetrics {
  /** @param {string} api */
  constructor(api) {
    this.api = api;
    this.metrics = new Metrics();
    /** @type {StepRange | null} the steps that they are of; null before the first */
    this.range = null;
    /** @type {readonly string[]} the metrics that were asked for */
    this.names = [];
    this.stale = true;
    /** @type {MetricPoint[] | null} that came while others are fetched */
    this.since = null;
  }

  /**
   * Are these here, of all these steps?
   * @param {StepRange} range
   * @param {readonly string[]} names
   */
  has(range, names) {
    return covers(this.range ?? [0, -1], range) && names.every((name) => this.names.includes(name));
  }

  /**
   * Are these to be fetched?
   * @param {StepRange} range
   * @param {readonly string[]} names
   */
  misses(range, names) {
    return names.length > 0 && (this.stale || !sameRange(this.range, range) || !this.has(range, names));
  }

  /**
   * @param {StepRange} range
   * @param {readonly string[]} names
   * @param {Metrics} whole those of the whole run, which tell where nothing was logged
   */
  async fetch(range, names, whole) {
    /** @type {MetricPoint[]} */
    const since = [];
    this.since = since;
    const [, last] = stepRange(names.map((name) => whole.track(name) ?? { begins: [], steps: [] }));
    const fetched = last < range[0] ? {} : await this.#get(range, names);
    this.since = null;
    this.metrics = new Metrics();
    this.metrics.replace(fetched, []);
    this.range = range;
    this.names = names;
    this.stale = false;
    this.add(since);
  }

  /**
   * @param {StepRange} range
   * @param {readonly string[]} names
   */
  async #get([from, to], names) {
    const query = new URLSearchParams({ from: String(from), to: String(to), points: String(METRIC_POINTS) });
    for (const name of names) query.append("name", name);
    try {
      return (await getJson(`${this.api}/metrics?${query}`)).metrics;
    } catch (error) {
      if (error instanceof Refusal) return {}; // nothing was logged at these steps
      throw error;
    }
  }

  /** @param {readonly MetricPoint[]} points */
  add(points) {
    const { range } = this;
    this.since?.push(...points);
    if (range === null) return;
    this.metrics.add(points.filter(({ step }) => step >= range[0] && step <= range[1]));
  }
}
