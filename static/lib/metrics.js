/**
 * The metrics that a job logs: one fetch of the latest points, then grown by the live messages.
 *
 * @typedef {import("../wire.js").Metric} Metric
 * @typedef {import("../wire.js").MetricPoint} MetricPoint
 */
export const METRICS_KEPT = 2000;

export class Metrics {
  constructor() {
    /** @type {Map<string, Metric>} a Map, since a metric may be called `__proto__` */
    this.byName = new Map();
    this.version = 0;
  }

  /** @returns {string[]} in the order in which they were first logged */
  get names() {
    return [...this.byName.keys()];
  }

  /**
   * @param {Record<string, Metric>} fetched
   * @param {readonly MetricPoint[]} since points that came while they were fetched
   */
  replace(fetched, since) {
    this.byName = new Map(Object.entries(fetched));
    this.add(since);
  }

  /** @param {readonly MetricPoint[]} points oldest first; what is known already is passed over */
  add(points) {
    this.version += 1;
    for (const { step, values } of points) {
      for (const [name, value] of Object.entries(values)) this.#append(name, step, value);
    }
  }

  /**
   * @param {string} name
   * @param {number} step
   * @param {number | null} value
   */
  #append(name, step, value) {
    const metric = this.byName.get(name) ?? { steps: [], values: [] };
    this.byName.set(name, metric);
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
   * The metrics to show: what the person chose, else the loss, else the first.
   * @param {readonly string[]} chosen
   */
  shown(chosen) {
    const known = this.names.filter((name) => chosen.includes(name));
    if (known.length > 0) return known;
    return this.byName.has("loss") ? ["loss"] : this.names.slice(0, 1);
  }
}
