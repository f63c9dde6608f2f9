/**
 * The series of the selected parameters, of the whole run or of a range of its steps. Each is fetched
 * whole once; while samples come, only what is new is asked for.
 *
 * @typedef {import("../wire.js").SeriesError} SeriesError
 * @typedef {import("../wire.js").SeriesRow} SeriesRow
 * @typedef {import("../link/statistics.js").StatisticName} StatisticName
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 * @typedef {import("./track.js").Track} Track
 *
 * @typedef {object} Fetched
 * @property {StepRange | null} range the steps that were asked for; null for the whole run
 * @property {number} reached the latest sample of the run when it was asked for; −1 for none
 *
 * @typedef {Track & Fetched} Series
 */
import { getJson } from "../link/api.js";
import { FIRST_STATISTIC } from "../link/statistics.js";
import { sameRange } from "../model/step_range.js";
import { joined, lastStep, trackOfSeries } from "./track.js";

/** A track with more points for each of the chart's is fetched anew, in buckets. */
const MOST_OVERDRAW = 4;

export class SeriesStore {
  /**
   * @param {string} api
   * @param {(path: string) => Promise<any>} [fetchJson]
   */
  constructor(api, fetchJson = getJson) {
    this.api = api;
    this.fetchJson = fetchJson;
    /** @type {StatisticName} what the series are of */
    this.stat = FIRST_STATISTIC;
    /** @type {StepRange | null} the steps that are wanted */
    this.range = null;
    /** @type {Map<string, Series>} those of steps that were wanted before stay until others have come */
    this.byName = new Map();
    /** @type {Set<string>} names of series that may have missed something */
    this.stale = new Set();
  }

  /**
   * Hold the series of a statistic, of a range of steps.
   * @param {StatisticName} stat
   * @param {StepRange | null} [range]
   */
  choose(stat, range = null) {
    this.range = range;
    if (stat === this.stat) return;
    this.stat = stat;
    this.byName.clear();
    this.stale.clear();
  }

  /** Something may have been missed: fetch every series whole. */
  refresh() {
    this.stale = new Set(this.byName.keys());
  }

  /**
   * From which step on each selected series is to be fetched; null for the whole of it.
   * @param {readonly string[]} selected
   * @param {number} room points that the chart has room for
   * @param {number | null} latest step of the latest sample
   * @returns {Map<number | null, string[]>} names by start
   */
  missing(selected, room, latest) {
    /** @type {Map<number | null, string[]>} */
    const byStart = new Map();
    const end = Math.min(latest ?? -1, this.range?.[1] ?? Infinity);
    for (const name of selected) {
      const series = this.byName.get(name);
      // A job that was resumed takes steps again: all of them are asked for.
      const wentBack = series !== undefined && latest !== null && latest < series.reached;
      const stale = series === undefined || wentBack || this.stale.has(name) || !sameRange(series.range, this.range);
      if (!stale && series.reached >= end) continue;
      const start = stale ? null : startOf(series, room * MOST_OVERDRAW);
      byStart.set(start, [...(byStart.get(start) ?? []), name]);
    }
    return byStart;
  }

  /**
   * Fetch what is missing, and forget what is not selected any more.
   * @param {readonly string[]} selected
   * @param {ReadonlyMap<number | null, string[]>} byStart
   * @param {number} room
   * @param {number | null} latest
   */
  async fetch(selected, byStart, room, latest) {
    const { stat, range } = this;
    for (const [start, names] of byStart) {
      const from = start ?? range?.[0] ?? null;
      const query = seriesQuery(names, room, from, { to: range?.[1] ?? null, stat });
      const answer = await this.fetchJson(`${this.api}/series?${query}`);
      if (stat !== this.stat) return; // another was chosen meanwhile
      this.#take(answer.series ?? [answer], start, { range, reached: latest ?? -1 });
    }
    for (const name of this.byName.keys()) if (!selected.includes(name)) this.byName.delete(name);
  }

  /**
   * @param {(SeriesRow | SeriesError)[]} answers
   * @param {number | null} start
   * @param {Fetched} fetched
   */
  #take(answers, start, fetched) {
    const errors = [];
    for (const answer of answers) {
      if ("error" in answer) {
        errors.push(answer.error);
        continue;
      }
      const { parameter } = answer;
      const known = start === null ? undefined : this.byName.get(parameter);
      const track = trackOfSeries(answer);
      this.byName.set(parameter, { ...(known === undefined ? track : joined(known, track)), ...fetched });
      if (start === null) this.stale.delete(parameter);
    }
    if (errors.length > 0) throw new Error(errors.join(" "));
  }
}

/**
 * The query of `GET /api/runs/{run}/series`.
 * @param {readonly string[]} names of parameters
 * @param {number} points at most
 * @param {number | null} from null for all steps
 * @param {{to?: number | null, stat?: StatisticName}} [options]
 */
export function seriesQuery(names, points, from, { to = null, stat = FIRST_STATISTIC } = {}) {
  const query = new URLSearchParams({ stat, points: String(points) });
  if (from !== null) query.set("from", String(from));
  if (to !== null) query.set("to", String(to));
  for (const name of names) query.append("parameter", name);
  return query.toString();
}

/**
 * @param {Track} track
 * @param {number} most points
 * @returns {number | null} null where the whole is needed
 */
function startOf(track, most) {
  const last = track.steps.length > most ? null : lastStep(track);
  return last === null ? null : last + 1;
}
