/**
 * The series of the selected parameters. Each is fetched whole once; while samples come, only what is
 * new is asked for.
 *
 * @typedef {import("../wire.js").SeriesError} SeriesError
 * @typedef {import("../wire.js").SeriesRow} SeriesRow
 * @typedef {import("../link/statistics.js").StatisticName} StatisticName
 * @typedef {import("./track.js").Track} Track
 */
import { getJson } from "../link/api.js";
import { FIRST_STATISTIC } from "../link/statistics.js";
import { joined, lastStep } from "./track.js";

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
    /** @type {Map<string, Track>} */
    this.byName = new Map();
    /** @type {Set<string>} names of series that may have missed something */
    this.stale = new Set();
  }

  /** Hold the series of another statistic. @param {StatisticName} stat */
  choose(stat) {
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
    for (const name of selected) {
      const track = this.byName.get(name);
      const start = this.stale.has(name) ? null : startOf(track, room * MOST_OVERDRAW);
      if (track !== undefined && start !== null && start > (latest ?? -1)) continue;
      byStart.set(start, [...(byStart.get(start) ?? []), name]);
    }
    return byStart;
  }

  /**
   * Fetch what is missing, and forget what is not selected any more.
   * @param {readonly string[]} selected
   * @param {ReadonlyMap<number | null, string[]>} byStart
   * @param {number} room
   */
  async fetch(selected, byStart, room) {
    const { stat } = this;
    for (const [from, names] of byStart) {
      const answer = await this.fetchJson(`${this.api}/series?${seriesQuery(names, room, from, stat)}`);
      if (stat !== this.stat) return; // another was chosen meanwhile
      this.#take(answer.series ?? [answer], from);
    }
    for (const name of this.byName.keys()) if (!selected.includes(name)) this.byName.delete(name);
  }

  /**
   * @param {(SeriesRow | SeriesError)[]} answers
   * @param {number | null} from
   */
  #take(answers, from) {
    const errors = [];
    for (const answer of answers) {
      if ("error" in answer) {
        errors.push(answer.error);
        continue;
      }
      const known = from === null ? undefined : this.byName.get(answer.parameter);
      this.byName.set(answer.parameter, known === undefined ? answer : joined(known, answer));
      if (from === null) this.stale.delete(answer.parameter);
    }
    if (errors.length > 0) throw new Error(errors.join(" "));
  }
}

/**
 * The query of `GET /api/runs/{run}/series`.
 * @param {readonly string[]} names of parameters
 * @param {number} points at most
 * @param {number | null} from null for all steps
 * @param {StatisticName} [stat]
 */
export function seriesQuery(names, points, from, stat = FIRST_STATISTIC) {
  const query = new URLSearchParams({ stat, points: String(points) });
  if (from !== null) query.set("from", String(from));
  for (const name of names) query.append("parameter", name);
  return query.toString();
}

/**
 * @param {Track | undefined} track
 * @param {number} most points
 * @returns {number | null} null where the whole is needed
 */
function startOf(track, most) {
  const last = track === undefined || track.steps.length > most ? null : lastStep(track);
  return last === null ? null : last + 1;
}
