/**
 * What the line chart draws: series of the selected parameters, and the metrics.
 *
 * A series is fetched whole once; while samples come, only what is new is asked for, at most once a
 * second. Metrics grow by the live messages after one fetch.
 *
 * @typedef {import("../wire.js").Series} Series
 * @typedef {import("../wire.js").MetricPoint} MetricPoint
 * @typedef {import("../model/view_url.js").View} View
 * @typedef {import("./line_figure.js").Line} Line
 * @typedef {import("./track.js").Track} Track
 * @typedef {import("./closed_bands.js").Band} Band
 * @typedef {import("./line_chart.js").KeyEntry} KeyEntry
 */
import { getJson } from "../link/api.js";
import { MAX_SELECTED, tabOf } from "../model/view_url.js";
import { stepRange } from "./line_figure.js";
import { Metrics, METRICS_KEPT } from "./metrics.js";
import { bucketed, joined, lastStep, trackOf } from "./track.js";

const REFETCH_MS = 900;
const MOST_OVERDRAW = 4;

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
    /** @type {Map<string, Track>} */
    this.series = new Map();
    /** @type {Set<string>} names of series that may have missed something */
    this.stale = new Set();
    this.metrics = new Metrics();
    this.metricsStale = true;
    /** @type {MetricPoint[]} that came while metrics were fetched */
    this.since = [];
    this.fetchedAt = -Infinity;
    this.fetching = false;
    /** Rises with every change. */
    this.version = 0;
  }

  /** Fetch everything whole at the next drawing: something may have been missed. */
  refresh() {
    this.stale = new Set(this.series.keys());
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
   * @returns {{lines: Line[], key: KeyEntry[], everySample: boolean, cut: boolean, bands: Band[]}}
   */
  lines(view, room, tokens) {
    const drawn =
      tabOf(view) === "metrics" ? this.#metricLines(view, room, tokens) : this.#seriesLines(view, room, tokens);
    const [first, last] = stepRange(drawn.lines);
    return { ...drawn, bands: this.metrics.bands([first, last], (last - first) / room) };
  }

  /**
   * @param {View} view
   * @param {number} room
   * @param {Record<string, string>} tokens
   */
  #metricLines(view, room, tokens) {
    const shown = this.metrics.shown(view.metrics);
    const all = [...this.metrics.byName].map(([name, metric], at) => ({
      name,
      metric,
      ...this.styleOf(at, tokens),
      shown: shown.includes(name),
    }));
    const drawn = all.filter((each) => each.shown);
    return {
      ...drawnLines(drawn.map(({ metric, ...line }) => ({ ...line, track: trackOf(metric) })), room),
      key: all.map(({ metric, ...entry }) => ({ ...entry, value: metric.values[metric.values.length - 1] ?? null })),
      cut: drawn.some(({ metric }) => metric.steps.length >= METRICS_KEPT),
    };
  }

  /**
   * @param {View} view
   * @param {number} room
   * @param {Record<string, string>} tokens
   */
  #seriesLines(view, room, tokens) {
    const key = view.selected.map((name, at) => ({ name, ...this.styleOf(at, tokens), value: undefined, shown: true }));
    const drawn = key.flatMap((entry) => {
      const track = this.series.get(entry.name);
      return track === undefined ? [] : [{ ...entry, track }];
    });
    return { ...drawnLines(drawn, room), key, cut: false };
  }

  /**
   * Ask for what is drawn and missing, when it is due; a failed request is tried again later.
   * @param {View} view
   * @param {number} room
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
    const byStart = tabOf(view) === "metrics" ? new Map() : this.#starts(view.selected, room, latest);
    if (byStart.size === 0 && !this.metricsStale) return null;
    return async () => {
      if (byStart.size > 0) await this.#fetchSeries(view.selected, byStart, room);
      // The metrics also tell where gates were closed, which every chart shows.
      if (this.metricsStale) await this.#fetchMetrics();
    };
  }

  async #fetchMetrics() {
    this.metricsStale = false;
    this.since = [];
    try {
      this.metrics.replace((await getJson(`${this.api}/metrics`)).metrics, this.since);
    } catch (error) {
      this.metricsStale = true;
      throw error;
    }
  }

  /**
   * @param {readonly string[]} selected
   * @param {Map<number | null, string[]>} byStart
   * @param {number} room
   */
  async #fetchSeries(selected, byStart, room) {
    for (const [from, names] of byStart) {
      const query = new URLSearchParams({ stat: "grad_norm", points: String(room) });
      if (from !== null) query.set("from", String(from));
      for (const name of names) query.append("parameter", name);
      const answer = await getJson(`${this.api}/series?${query}`);
      this.#take(answer.series ?? [answer], from);
    }
    for (const name of this.series.keys()) if (!selected.includes(name)) this.series.delete(name);
  }

  /**
   * @param {(Series | {parameter: string, error: string})[]} answers
   * @param {number | null} from
   */
  #take(answers, from) {
    const errors = [];
    for (const answer of answers) {
      if ("error" in answer) {
        errors.push(answer.error);
        continue;
      }
      const known = from === null ? undefined : this.series.get(answer.parameter);
      this.series.set(answer.parameter, known === undefined ? answer : joined(known, answer));
      if (from === null) this.stale.delete(answer.parameter);
    }
    if (errors.length > 0) throw new Error(errors.join(" "));
  }

  /**
   * From which step on each selected series is to be fetched; null for the whole of it.
   * @param {readonly string[]} selected
   * @param {number} room
   * @param {number | null} latest
   * @returns {Map<number | null, string[]>} names by start
   */
  #starts(selected, room, latest) {
    /** @type {Map<number | null, string[]>} */
    const byStart = new Map();
    for (const name of selected) {
      const track = this.series.get(name);
      const start = this.stale.has(name) ? null : startOf(track, room * MOST_OVERDRAW);
      if (track !== undefined && start !== null && start > (latest ?? -1)) continue;
      byStart.set(start, [...(byStart.get(start) ?? []), name]);
    }
    return byStart;
  }
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

/**
 * @param {readonly {name: string, color: string, mark: string, track: Track}[]} drawn
 * @param {number} room
 */
function drawnLines(drawn, room) {
  const lines = drawn.map(({ name, color, mark, track }) => ({ name, color, mark, ...bucketed(track, room) }));
  return { lines, everySample: lines.every(({ steps, samples }) => steps.length === samples) };
}
