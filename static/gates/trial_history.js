/**
 * The history that a dry run is drawn over.
 *
 * @typedef {import("../model/records.js").GateDraft} GateDraft
 * @typedef {import("../model/records.js").GateRow} GateRow
 * @typedef {import("../wire.js").Trial} Trial
 * @typedef {{kind: "parameter" | "metric", name: string} | {kind: "gate", gate: number}} TrialSubject
 */
import { parseSite } from "../model/gate_sites.js";
import { nameOfMetric } from "./completion.js";

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const NAMES = /[A-Za-z_][A-Za-z0-9_]*/g;

/**
 * What is drawn: the parameter at whose gradient the gate stands, else the first thing that the
 * condition names and that has a history: a metric, or the norm that came to a gate of the site.
 * @param {Pick<GateDraft, "site" | "when">} draft
 * @param {readonly string[]} metrics
 * @param {readonly Pick<GateRow, "id" | "site">[]} measured gates whose norms are known
 * @returns {TrialSubject | null}
 */
export function subjectOf({ site, when }, metrics, measured) {
  const { kind, name } = parseSite(site);
  if (kind === "param") return { kind: "parameter", name };
  const gate = measured.find((each) => each.site === site);
  for (const word of when.match(NAMES) ?? []) {
    if (gate !== undefined && (word === "norm" || word === "norm_avg")) return { kind: "gate", gate: gate.id };
    const metric = metrics.find((each) => nameOfMetric(each) === word);
    if (metric !== undefined) return { kind: "metric", name: metric };
  }
  return null;
}

/**
 * The steps that the dry run went over; an older job does not tell them, and its last is the latest sample's.
 * @param {Trial} trial
 * @param {number | null} latest step of the latest sample
 * @param {number} every samples each n-th step
 * @returns {[number, number]}
 */
export function trialRange({ samples, closed, first = null, last = null }, latest, every) {
  const marked = closed ?? [];
  const end = last ?? Math.max(latest ?? 0, ...marked.slice(-1));
  if (first !== null) return [first, end];
  return [Math.max(0, Math.min(marked[0] ?? Infinity, end - (samples - 1) * every)), end];
}

/**
 * The numbers that a condition compares a name with, as `norm > 10` and `10 < norm` do; none of those that are part
 * of a longer expression.
 * @param {string} when
 * @param {string} name as conditions have it
 * @returns {number[]}
 */
export function thresholdsOf(when, name) {
  /** @type {Set<number>} */
  const found = new Set();
  for (const part of when.split(/\b(?:and|or|not)\b|[()]/)) {
    const sides = part.split(/[<>]=?|[=!]=/).map((side) => side.trim());
    sides.forEach((side, i) => {
      if (side !== name) return;
      for (const other of [sides[i - 1], sides[i + 1]]) {
        if (other !== undefined && NUMBER.test(other)) found.add(Number(other));
      }
    });
  }
  return [...found];
}

/**
 * How far samples are apart: the smallest distance of neighbours, at least a step.
 * @param {...readonly number[]} lists of rising steps
 */
export function sampleDistance(...lists) {
  let least = Infinity;
  for (const steps of lists) {
    for (let i = 1; i < steps.length; i += 1) least = Math.min(least, steps[i] - steps[i - 1]);
  }
  return Number.isFinite(least) ? Math.max(1, least) : 1;
}
