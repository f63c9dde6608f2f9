/**
 * The metrics that a job logs: one fetch of the whole run in buckets, then grown by the live messages,
 * and put into fewer buckets when they are many. Those that the job logs of its gates are kept apart.
 *
 * @typedef {import("../wire.js").MetricRow} MetricRow
 * @typedef {import("../wire.js").MetricPoint} MetricPoint
 * @typedef {import("./track.js").Track} Track
 */
import { bandsWithin, closedBands, closedName, gateMetric } from "./closed_bands.js";
import { bucketed, lastStep, trackOfMetric } from "./track.js";

/** How many points of a metric are fetched, and kept when they became four times as many. */
export const METRIC_POINTS = 1000;
const MOST_POINTS = 4 * METRIC_POINTS;
const NONFINITE = Object.freeze({ nan: "NaN", inf: "∞", "-inf": "−∞" });

export class Metrics {
  constructor() {
    /** @type {Map<string, Track>} a Map, since a metric may be called `__proto__` */
    this.byName = new Map();
    /** @type {Map<number, Track>} by gate: 1 where it was closed */
    this.closed = new Map();
    /** @type {Map<number, Track>} by gate: the norm that came to it */
    this.norms = new Map();
    this.version = 0;
  }

  /** @returns {[string, Track][]} in the order in which they were first logged, Gradgate's own behind the job's */
  get tracks() {
    const tracks = [...this.byName];
    return [...tracks.filter(([name]) => !isOwn(name)), ...tracks.filter(([name]) => isOwn(name))];
  }

  /** @returns {string[]} in the same order */
  get names() {
    return this.tracks.map(([name]) => name);
  }

  /**
   * @param {Record<string, MetricRow>} fetched
   * @param {readonly MetricPoint[]} since points that came while they were fetched
   */
  replace(fetched, since) {
    this.byName.clear();
    this.closed.clear();
    this.norms.clear();
    for (const [name, metric] of Object.entries(fetched)) this.#set(name, trackOfMetric(metric));
    this.add(since);
  }

  /** @param {readonly MetricPoint[]} points oldest first; what is known already is passed over */
  add(points) {
    this.version += 1;
    for (const { step, values, nonfinite = {} } of points) {
      for (const [name, value] of Object.entries(values)) {
        const kind = Object.hasOwn(nonfinite, name) ? nonfinite[name] : "nan";
        this.#append(name, step, value, value === null ? NONFINITE[kind] : "");
      }
    }
  }

  /** The track of a metric, of a gate's too. @param {string} name */
  track(name) {
    const told = gateMetric(name);
    if (told === null) return this.byName.get(name);
    return (told.figure === "closed" ? this.closed : this.norms).get(told.gate);
  }

  /**
   * @param {string} name
   * @param {Track} metric
   */
  #set(name, metric) {
    const told = gateMetric(name);
    if (told === null) this.byName.set(name, metric);
    else (told.figure === "closed" ? this.closed : this.norms).set(told.gate, metric);
  }

  /**
   * @param {string} name
   * @param {number} step
   * @param {number | null} value
   * @param {string} nonfinite what it is instead of a finite value
   */
  #append(name, step, value, nonfinite) {
    /** @type {Track} */
    const metric = this.track(name) ?? { begins: [], steps: [], values: [], min: [], max: [], nonfinite: [], states: [], samples: 0 };
    const last = lastStep(metric);
    if (last !== null && step <= last) return;
    for (const column of [metric.begins, metric.steps]) column.push(step);
    for (const column of [metric.values, metric.min, metric.max]) column.push(value);
    metric.nonfinite.push(nonfinite);
    metric.states.push("");
    metric.samples += 1;
    this.#set(name, metric.steps.length > MOST_POINTS ? bucketed(metric, METRIC_POINTS) : metric);
  }

  /** The metrics that say where gates were closed. */
  get closedNames() {
    return [...this.closed.keys()].map(closedName);
  }

  /**
   * Where gates were closed within a range of steps.
   * @param {readonly [number, number]} range
   * @param {number} narrow steps that are one pixel
   * @returns {import("./closed_bands.js").Band[]}
   */
  bands(range, narrow) {
    const gates = [...this.closed].sort(([a], [b]) => a - b);
    return gates.flatMap(([gate, metric]) => bandsWithin(closedBands(gate, metric), range, narrow));
  }

  /**
   * The metrics to show: what the person chose, else the loss, else the first of the job's own.
   * @param {readonly string[]} chosen
   */
  shown(chosen) {
    const known = this.names.filter((name) => chosen.includes(name));
    if (known.length > 0) return known;
    if (this.byName.has("loss")) return ["loss"];
    return this.names.slice(0, 1);
  }
}

/** @param {string} name */
function isOwn(name) {
  return name.startsWith("gradgate/");
}
