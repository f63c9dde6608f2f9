/**
 * The steps of the lowest and the highest value of a bucket, which the buckets do not hold: asked of the
 * server when somebody points at one, from its samples.
 *
 * @typedef {import("../link/statistics.js").StatisticName} StatisticName
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 * @typedef {import("./line_reading.js").Extreme} Extreme
 * @typedef {import("./track.js").Track} Track
 * @typedef {{min: Extreme, max: Extreme}} Extremes
 *
 * @typedef {object} Bucket
 * @property {string} name of the metric or the parameter
 * @property {StatisticName | null} stat of the parameter; null for a metric
 * @property {StepRange} steps
 */
import { getJson } from "../link/api.js";
import { seriesQuery } from "./series_store.js";
import { trackOfMetric, trackOfSeries } from "./track.js";

/** As many as the server gives: a bucket of no more samples is told exactly. */
const MOST_POINTS = 10_000;
const MOST_KEPT = 200;

export class BucketExtremes {
  /**
   * @param {string} api
   * @param {(path: string) => Promise<any>} [fetchJson]
   */
  constructor(api, fetchJson = getJson) {
    this.api = api;
    this.fetchJson = fetchJson;
    /** @type {Map<string, Extremes>} oldest first */
    this.known = new Map();
  }

  /** @param {Bucket} bucket */
  get(bucket) {
    return this.known.get(keyOf(bucket)) ?? null;
  }

  /**
   * Ask for a bucket, and keep the answer.
   * @param {Bucket} bucket
   */
  async fetch(bucket) {
    const extremes = extremesOf(await this.#track(bucket));
    if (extremes === null) return;
    this.known.set(keyOf(bucket), extremes);
    const [oldest] = this.known.keys();
    if (this.known.size > MOST_KEPT) this.known.delete(oldest);
  }

  /**
   * @param {Bucket} bucket
   * @returns {Promise<Track>}
   */
  async #track({ name, stat, steps: [from, to] }) {
    if (stat !== null) return trackOfSeries(await this.fetchJson(`${this.api}/series?${seriesQuery([name], MOST_POINTS, from, { to, stat })}`));
    const query = new URLSearchParams({ name, from: String(from), to: String(to), points: String(MOST_POINTS) });
    return trackOfMetric((await this.fetchJson(`${this.api}/metrics?${query}`)).metrics[name]);
  }
}

/** @param {Bucket} bucket */
function keyOf({ name, stat, steps }) {
  return JSON.stringify([name, stat, ...steps]);
}

/**
 * The extremes of a track; their steps are those of a bucket where it has buckets yet.
 * @param {Track} track
 * @returns {Extremes | null} null where nothing has a value
 */
export function extremesOf({ begins, steps, min, max }) {
  const of = (/** @type {(number | null)[]} */ column, /** @type {1 | -1} */ sign) => {
    let at = -1;
    column.forEach((value, i) => {
      if (value !== null && (at < 0 || value * sign > Number(column[at]) * sign)) at = i;
    });
    return at < 0 ? null : { value: Number(column[at]), steps: /** @type {[number, number]} */ ([begins[at], steps[at]]) };
  };
  const [lowest, highest] = [of(min, -1), of(max, 1)];
  return lowest === null || highest === null ? null : { min: lowest, max: highest };
}
