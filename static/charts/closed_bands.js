/**
 * The stretches of steps in which a gate was closed, for the bands on charts.
 *
 * The job sends whether a gate was closed with each sampled step, as a metric `gate N closed`: such
 * metrics are bands, and are never drawn as lines.
 *
 * @typedef {object} Band
 * @property {number} gate
 * @property {number} from a step; a band begins and ends half way to the samples beside it, as far as there is no gap
 * @property {number} to
 */
import { endsOf } from "../model/sample_ends.js";

const NAME = /^gate (\d+) (closed|norm)$/;

/**
 * What a metric tells of a gate, or null for a metric of the user's: whether it was closed, or the
 * norm that came to it, which is kept for dry runs and not for charts.
 * @param {string} metric
 * @returns {{gate: number, figure: "closed" | "norm"} | null}
 */
export function gateMetric(metric) {
  const found = NAME.exec(metric);
  return found && { gate: Number(found[1]), figure: found[2] === "closed" ? "closed" : "norm" };
}

/**
 * The metric that tells whether a gate was closed.
 * @param {number} gate
 */
export function closedName(gate) {
  return `gate ${gate} closed`;
}

/**
 * Where a gate was closed; a bucket in which it was both closed and open counts as closed.
 * @param {number} gate
 * @param {Pick<import("./track.js").Track, "begins" | "steps" | "max">} metric 1 where it was closed
 * @returns {Band[]}
 */
export function closedBands(gate, { begins, steps, max }) {
  const ends = endsOf(begins, steps);
  /** @type {Band[]} */
  const bands = [];
  steps.forEach((step, i) => {
    if (max[i] !== 1) return;
    const from = begins[i] - (i === 0 ? 1 : ends[i - 1] - steps[i - 1]) / 2;
    append(bands, { gate, from, to: (step + ends[i]) / 2 });
  });
  return bands;
}

/**
 * The bands of steps of which only those where it is closed are known: neighbours are no further
 * apart than the samples were.
 * @param {number} gate
 * @param {readonly number[]} steps rising
 * @param {number} apart how far the samples are apart
 * @returns {Band[]}
 */
export function bandsAround(gate, steps, apart) {
  /** @type {Band[]} */
  const bands = [];
  for (const step of steps) append(bands, { gate, from: step - apart / 2, to: step + apart / 2 });
  return bands;
}

/**
 * @param {Band[]} bands
 * @param {Band} band
 */
function append(bands, band) {
  const last = bands[bands.length - 1];
  if (last !== undefined && band.from <= last.to) last.to = band.to;
  else bands.push(band);
}

/**
 * Bands within a range of steps, with gaps too narrow to be seen closed: as many as the chart can show.
 * @param {readonly Band[]} bands of one gate, rising
 * @param {readonly [number, number]} range
 * @param {number} narrow steps that are one pixel
 * @returns {Band[]}
 */
export function bandsWithin(bands, [first, last], narrow) {
  /** @type {Band[]} */
  const kept = [];
  for (const { gate, from, to } of bands) {
    if (to < first || from > last) continue;
    const cut = { gate, from: Math.max(from, first), to: Math.min(to, last) };
    const before = kept[kept.length - 1];
    if (before !== undefined && cut.from - before.to < narrow) before.to = cut.to;
    else kept.push(cut);
  }
  return kept;
}
