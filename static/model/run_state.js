/**
 * All that the page knows of one run, as the job and the server reported it.
 *
 * @typedef {import("../wire.js").RunRow} RunRow
 * @typedef {import("./records.js").ParameterRow} ParameterRow
 * @typedef {import("./records.js").CommandRow} CommandRow
 * @typedef {import("./records.js").GateRow} GateRow
 * @typedef {import("../wire.js").Alert} Alert
 * @typedef {import("./packed_rows.js").PackedSparklines} PackedSparklines
 * @typedef {import("../wire.js").EventRow} EventRow
 * @typedef {import("../link/sample_frame.js").Sample} Sample
 */
import { Since } from "../base/since.js";
import { mergeCommands, pendingByParameter } from "./commands.js";
import { mergeEvents } from "./events.js";
import { Focus } from "./focus.js";
import { gatesByNode } from "./gate_sites.js";
import { buildTree } from "./module_tree.js";
import { decadeDomain, isPlottable } from "./norm_scale.js";
import { SampleHistory } from "./sample_history.js";
import { stateCode } from "./states.js";
import { Verdicts } from "./verdicts.js";

export const SPARK_SAMPLES = 60;

export class RunState {
  constructor() {
    /** @type {RunRow | null} */
    this.run = null;
    /** @type {ParameterRow[]} */
    this.parameters = [];
    this.loaded = false;
    this.tree = buildTree([]);
    /** @type {readonly number[]} positions of what would train and is in no optimizer; none where the run has no optimizer */
    this.loose = [];
    /** @type {CommandRow[]} newest first */
    this.commands = [];
    /** @type {Map<number, CommandRow>} what is asked for and not yet reported, by position */
    this.pending = new Map();
    /** @type {readonly GateRow[]} as the job reported them */
    this.gates = [];
    /** @type {Map<string, GateRow[]>} by the node's id */
    this.gatesByNode = new Map();
    /** Why gradients are missing, as the latest traced step showed. */
    this.verdicts = new Verdicts();
    /** @type {ReadonlyMap<number, Alert>} what is wrong with parameters, by position */
    this.alerts = new Map();
    /** @type {{step: number | null, groups: readonly import("../wire.js").OptimizerGroup[]}} as the job last told of them */
    this.optimizers = { step: null, groups: [] };
    /** @type {ReadonlyMap<number, Alert>} what is worth knowing of parameters, by position */
    this.notes = new Map();
    /** @type {ReadonlyMap<number, readonly Alert[]>} all that is told of parameters, alerts first, by position */
    this.told = new Map();
    /** @type {readonly Alert[]} alerts and notes of the whole run */
    this.ofRun = [];
    /** @type {readonly EventRow[]} what happened, newest first */
    this.events = [];
    /** What is looked at closely. */
    this.focus = new Focus();
    this.history = new SampleHistory(0, SPARK_SAMPLES);
    this.step = 0;
    /** @type {number | null} of the first sample that is known of */
    this.firstStep = null;
    /** @type {number | null} of the latest sample */
    this.sampleStep = null;
    /** @type {Sample | null} the latest that came live, whole even if the table was shorter then */
    this.live = null;
    /** When the run's row came. */
    this.runCame = new Since();
    this.skipped = false;
    this.scaled = false;
    this.states = new Uint8Array(0);
    this.norms = new Float32Array(0);
    this.lows = new Float32Array(0);
    this.highs = new Float32Array(0);
    /** Update ratios and norms of weights, as of the latest look at each parameter; NaN before it. */
    this.ratios = new Float32Array(0);
    this.weights = new Float32Array(0);
    /** @type {readonly [number, number] | null} decades of the colour ramp */
    this.domain = null;
    /** @type {readonly [number, number] | null} decades of the axis */
    this.extent = null;
  }

  /**
   * @param {RunRow} run
   * @param {Since} [came]
   */
  setRun(run, came = new Since()) {
    this.run = run;
    this.runCame = came;
    this.step = Math.max(this.step, run.step);
    this.sampleStep ??= run.sample_step;
  }

  /** The first and the latest step of the run, as far as they are known. @returns {import("./view_url.js").StepRange} */
  get steps() {
    return [Math.min(this.firstStep ?? this.step, this.step), this.step];
  }

  /** There is a sample of this step. @param {number} step */
  reachBack(step) {
    this.firstStep = Math.min(this.firstStep ?? step, step);
  }

  /**
   * Seconds since a time of the server's clock. Neither the job's clock nor this machine's is asked:
   * the row says what the server's showed, and what went by since is measured.
   * @param {number} time
   */
  ageOf(time) {
    if (this.run === null) throw new Error("an age was asked for before the run's row came");
    return Math.max(0, this.run.server_time - time + this.runCame.seconds);
  }

  /**
   * Take the table over. What was measured is what is newest: a live sample may have overtaken the
   * table, and the table has what was missed while there was no connection.
   * @param {ParameterRow[]} rows the whole table, in model order
   */
  setParameters(rows) {
    const same = tableKey(rows) === tableKey(this.parameters);
    this.parameters = rows;
    this.loose = looseOf(rows);
    this.loaded = true;
    if (!same) {
      this.tree = buildTree(rows);
      this.history = new SampleHistory(rows.length, SPARK_SAMPLES);
    }
    const stored = rows.reduce((latest, { step }) => Math.max(latest, step ?? 0), 0);
    if (this.live === null || stored > this.live.step) {
      this.#measure(
        rows.map((row) => stateCode(row.state)),
        rows.map((row) => row.grad_norm ?? NaN),
      );
      this.sampleStep = stored || this.sampleStep;
    } else if (!same) this.#measureLive(this.live);
    this.ratios = withKnown(rows.map((row) => row.update_ratio ?? NaN), this.ratios);
    this.weights = withKnown(rows.map((row) => row.weight_norm ?? NaN), this.weights);
    this.pending = pendingByParameter(this.commands, rows);
    this.setGates(this.gates);
  }

  /** @param {readonly GateRow[]} gates all that there are */
  setGates(gates) {
    this.gates = gates;
    this.gatesByNode = gatesByNode(gates, this.tree, this.parameters);
  }

  /** @param {{step: number | null, groups: readonly import("../wire.js").OptimizerGroup[]}} told */
  setOptimizers({ step, groups }) {
    this.optimizers = { step, groups };
  }

  /** @param {readonly Alert[]} alerts all that there are, and notes */
  setAlerts(alerts) {
    this.alerts = byPosition(alerts.filter(({ level }) => level !== "note"));
    this.notes = byPosition(alerts.filter(({ level }) => level === "note"));
    this.told = allByPosition(alerts);
    this.ofRun = alerts.filter(({ parameter }) => parameter === null);
  }

  /** @param {readonly EventRow[]} rows new or changed */
  setEvents(rows) {
    this.events = mergeEvents(this.events, rows);
  }

  /** @param {PackedSparklines} sparklines the samples before the first live one */
  setSparklines({ steps, grad_norm, states }) {
    const live = this.history;
    this.history = new SampleHistory(this.parameters.length, SPARK_SAMPLES);
    const width = grad_norm.length / steps.length;
    for (let i = 0; i < steps.length; i += 1) {
      this.history.push({
        step: steps[i],
        norms: grad_norm.subarray(i * width, (i + 1) * width),
        states: states.subarray(i * width, (i + 1) * width),
      });
    }
    this.history.pushNewer(live);
    this.scaled = false;
  }

  /** @param {Sample} sample */
  applySample(sample) {
    this.step = Math.max(this.step, sample.step);
    this.sampleStep = sample.step;
    this.reachBack(sample.step);
    this.skipped = sample.skipped;
    this.live = sample;
    this.#measureLive(sample);
    if (sample.ratios !== null) this.ratios = withKnown(sample.ratios, this.ratios);
    if (sample.weights !== null) this.weights = withKnown(sample.weights, this.weights);
    const { states, norms, lows, highs } = this;
    this.history.push({ step: sample.step, states, norms, lows, highs });
  }

  /** @param {readonly CommandRow[]} rows new or changed */
  setCommands(rows) {
    this.commands = mergeCommands(this.commands, rows);
    this.pending = pendingByParameter(this.commands, this.parameters);
  }

  /** @param {Sample} sample */
  #measureLive({ states, norms, lows, highs }) {
    this.#measure(states, norms, lows, highs);
  }

  /**
   * @param {ArrayLike<number>} states
   * @param {ArrayLike<number>} norms
   * @param {ArrayLike<number>} [lows]
   * @param {ArrayLike<number>} [highs]
   */
  #measure(states, norms, lows = norms, highs = norms) {
    const { parameters } = this;
    const count = parameters.length;
    const isGone = (/** @type {number} */ i) => parameters[i].removed;
    // The REST rows have no infinity (JSON has none), so a live one is no norm either.
    const fit = (/** @type {ArrayLike<number>} */ from) =>
      Float32Array.from({ length: count }, (_, i) =>
        Number.isFinite(from[i]) && !isGone(i) ? from[i] : NaN,
      );
    this.states = Uint8Array.from({ length: count }, (_, i) => (isGone(i) ? 0 : (states[i] ?? 0)));
    this.norms = fit(norms);
    this.lows = fit(lows);
    this.highs = fit(highs);
    this.scaled = false;
  }

  /** Fit the scales to the latest sample; once a drawing is enough, samples come more often. */
  fitScales() {
    if (this.scaled) return;
    this.scaled = true;
    const { lows, highs } = this.history.ranges();
    const ends = [this.norms, lows, highs].flatMap(plottableEnds);
    this.domain = decadeDomain(this.norms, this.domain);
    this.extent = decadeDomain(ends, this.extent, 0);
  }
}

/**
 * The new values, and the known ones of parameters that have no new one.
 * @param {ArrayLike<number>} values
 * @param {Float32Array} known
 */
function withKnown(values, known) {
  const length = Math.max(values.length, known.length);
  return Float32Array.from({ length }, (_, i) => (Number.isFinite(values[i]) ? values[i] : (known[i] ?? NaN)));
}

/** @param {readonly ParameterRow[]} rows */
function looseOf(rows) {
  if (!rows.some((row) => row.in_optimizer)) return [];
  return rows.flatMap(({ in_optimizer, removed, frozen }, position) => (in_optimizer || removed || frozen !== null ? [] : [position]));
}

/**
 * Of several of one parameter the first.
 * @param {readonly Alert[]} alerts
 */
function byPosition(alerts) {
  return new Map(alerts.toReversed().flatMap((alert) => positionsOf(alert).map((position) => [position, alert])));
}

/** The positions of the parameters of which it is told. @param {Alert} alert */
function positionsOf({ parameter, others }) {
  return parameter === null ? [] : [parameter, ...(others ?? [])];
}

/** @param {readonly Alert[]} alerts */
function allByPosition(alerts) {
  /** @type {Map<number, Alert[]>} */
  const found = new Map();
  for (const alert of alerts) {
    for (const position of positionsOf(alert)) found.set(position, [...(found.get(position) ?? []), alert]);
  }
  return found;
}

/**
 * What the tree is made of.
 * @param {readonly ParameterRow[]} rows
 */
function tableKey(rows) {
  return rows.map(({ name, removed }) => `${name}${removed ? "\n(removed)" : ""}`).join("\n");
}

/**
 * The lowest and highest norm that have a place on a log scale, if there are any.
 * @param {Float32Array} norms
 */
function plottableEnds(norms) {
  let low = Infinity;
  let high = 0;
  for (const norm of norms) {
    if (!isPlottable(norm)) continue;
    if (norm < low) low = norm;
    if (norm > high) high = norm;
  }
  return high === 0 ? [] : [low, high];
}
