/**
 * The metrics that a job logs: one fetch of the latest points, then grown by the live messages.
 * Those that the job logs of its gates are kept apart.
 *
 * @typedef {import("../wire.js").MetricRow} MetricRow
 * @typedef {import("../wire.js").MetricPoint} MetricPoint
 */
import { bandsWithin, closedBands, gateMetric } from "./closed_bands.js";

export const METRICS_KEPT = 2000;

export class Metrics {
  constructor() {
    /** @type {Map<string, MetricRow>} a Map, since a metric may be called `__proto__` */
    this.byName = new Map();
    /** @type {Map<number, MetricRow>} by gate: 1 where it was closed */
    this.closed = new Map();
    /** @type {Map<number, MetricRow>} by gate: the norm that came to it */
    this.norms = new Map();
    this.version = 0;
  }

  /** @returns {string[]} in the order in which they were first logged */
  get names() {
    return [...this.byName.keys()];
  }

  /**
   * @param {Record<string, MetricRow>} fetched
   * @param {readonly MetricPoint[]} since points that came while they were fetched
   */
  replace(fetched, since) {
    this.byName.clear();
    this.closed.clear();
    this.norms.clear();
    for (const [name, metric] of Object.entries(fetched)) this.#set(name, metric);
    this.add(since);
  }

  /** @param {readonly MetricPoint[]} points oldest first; what is known already is passed over */
  add(points) {
    this.version += 1;
    for (const { step, values } of points) {
      for (const [name, value] of Object.entries(values)) this.#append(name, step, value);
    }
  }

  /** @param {string} name */
  #get(name) {
    const told = gateMetric(name);
    if (told === null) return this.byName.get(name);
    return (told.figure === "closed" ? this.closed : this.norms).get(told.gate);
  }

  /**
   * @param {string} name
   * @param {MetricRow} metric
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
   */
  #append(name, step, value) {
    const metric = this.#get(name) ?? { steps: [], values: [] };
    this.#set(name, metric);
    const { steps, values } = metric;
    const last = steps[steps.length - 1];
    if (last !== undefined && step <= last) return;
    steps.push(step);
    values.push(value);
    if (steps.length <= METRICS_KEPT * 1.25) return;
    steps.splice(0, steps.length - METRICS_KEPT);
    values.splice(0, values.length - METRICS_KEPT);
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
    const own = this.names.filter((name) => !name.startsWith("gradgate/"));
    return [...own, ...this.names].slice(0, 1);
  }
}
