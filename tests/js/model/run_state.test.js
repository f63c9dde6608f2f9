import assert from "node:assert/strict";
import { test } from "node:test";

import { Since } from "../../../static/base/since.js";
import { RunState } from "../../../static/model/run_state.js";
import { commandRow, frozenBy, gateRow, parameterRow } from "../support/rows.js";

/**
 * @param {number[]} norms
 * @param {number[]} states
 */
function sample(norms, states) {
  const values = Float32Array.from(norms);
  return {
    covers: 1,
    step: 7,
    time: 100,
    skipped: false,
    states: Uint8Array.from(states),
    norms: values,
    lows: values,
    highs: values,
    maxima: null,
    ratios: null,
    weights: null,
  };
}

test("before the first live sample the table's own values are shown", () => {
  const state = new RunState();
  state.setParameters([parameterRow("a", { state: "present", grad_norm: 0.5 })]);
  assert.deepEqual([...state.states], [1]);
  assert.deepEqual([...state.norms], [0.5]);
});

test("a sample updates states, norms, step and history", () => {
  const state = new RunState();
  state.setParameters([parameterRow("a"), parameterRow("b")]);
  state.applySample(sample([0.5, NaN], [1, 4]));
  assert.equal(state.step, 7);
  assert.equal(state.sampleStep, 7);
  assert.deepEqual([...state.states], [1, 4]);
  assert.deepEqual(state.history.column(1), [{ norm: NaN, low: NaN, high: NaN, state: 4 }]);
});

test("a sample of another length than the table is fitted to it", () => {
  const state = new RunState();
  state.setParameters([parameterRow("a"), parameterRow("b")]);
  state.applySample(sample([0.5], [1]));
  assert.deepEqual([...state.states], [1, 0]);
  state.applySample(sample([1, 2, 3], [1, 1, 1]));
  assert.deepEqual([...state.norms], [1, 2]);
});

test("a table with the same names keeps what was measured", () => {
  const state = new RunState();
  state.setParameters([parameterRow("a")]);
  state.applySample(sample([0.5], [1]));
  const frozen = frozenBy({ since_step: 7, command: 1 });
  state.setParameters([parameterRow("a", { frozen })]);
  assert.deepEqual([...state.norms], [0.5]);
  assert.equal(state.history.length, 1);
});

test("sparklines fill the history, gaps included", () => {
  const state = new RunState();
  state.setParameters([parameterRow("a")]);
  state.setSparklines({ steps: [1, 2, 3], grad_norm: Float32Array.of(1, NaN, 3), states: Uint8Array.of(1, 4, 1) });
  assert.deepEqual(
    state.history.column(0).map(({ norm, state: code }) => [norm, code]),
    [
      [1, 1],
      [NaN, 4],
      [3, 1],
    ],
  );
});

test("sparklines are read sample by sample, and may speak of more parameters than the table", () => {
  const state = new RunState();
  state.setParameters([parameterRow("a"), parameterRow("b")]);
  state.setSparklines({ steps: [1, 2], grad_norm: Float32Array.of(1, 2, 9, 3, 4, 9), states: Uint8Array.of(1, 1, 1, 1, 6, 1) });
  assert.deepEqual(state.history.column(1).map(({ norm, state: code }) => [norm, code]), [[2, 1], [4, 6]]);
});

test("what came live while the sparklines were fetched is behind them, once", () => {
  const state = new RunState();
  state.setParameters([parameterRow("a")]);
  state.applySample({ ...sample([2], [1]), step: 3 });
  state.applySample({ ...sample([4], [1]), step: 4 });
  state.setSparklines({ steps: [2, 3], grad_norm: Float32Array.of(1, 2), states: Uint8Array.of(1, 1) });
  assert.deepEqual(state.history.column(0).map(({ norm }) => norm), [1, 2, 4]);
  state.applySample({ ...sample([4], [1]), step: 4 });
  assert.equal(state.history.length, 3);
});

test("a spike between two live frames is in the history", () => {
  const state = new RunState();
  state.setParameters([parameterRow("a")]);
  state.applySample({ ...sample([1], [1]), lows: Float32Array.of(0.5), highs: Float32Array.of(64) });
  assert.deepEqual(state.history.column(0), [{ norm: 1, low: 0.5, high: 64, state: 1 }]);
});

test("an infinite norm is none, live as after a reload", () => {
  const live = new RunState();
  live.setParameters([parameterRow("a")]);
  live.applySample(sample([Infinity], [3]));
  const reloaded = new RunState();
  reloaded.setParameters([parameterRow("a", { state: "nonfinite", grad_norm: null, step: 7 })]);
  assert.deepEqual([...live.norms], [...reloaded.norms]);
  assert.deepEqual([...live.states], [...reloaded.states]);
  assert.equal(reloaded.sampleStep, live.sampleStep);
});

test("an age is by the server's clock and the time since its row came", () => {
  const state = new RunState();
  const row = /** @type {any} */ ({ step: 3, server_time: 1_000_000, sample_time: 999_990, sample_step: 2 });
  let now = 5000;
  const clock = () => now;
  state.setRun(row, new Since({ steady: clock, wall: clock }));
  assert.equal(state.ageOf(999_990), 10);
  assert.equal(state.ageOf(1_000_100), 0);
  now = 7500;
  assert.equal(state.ageOf(999_990), 12.5);
  assert.equal(state.sampleStep, 2);
});

test("a pending command marks its parameters until the job has spoken", () => {
  const state = new RunState();
  state.setParameters([parameterRow("encoder.w"), parameterRow("head.w")]);
  state.setCommands([commandRow(1)]);
  assert.deepEqual([...state.pending.keys()], [0]);
  state.setCommands([commandRow(1, { state: "applied", step: 9 })]);
  assert.equal(state.pending.size, 0);
});

test("an older run row does not turn the step back", () => {
  const state = new RunState();
  state.applySample(sample([], []));
  state.setRun(/** @type {any} */ ({ step: 3 }));
  assert.equal(state.step, 7);
});

test("the axis holds every spike, and the ramp leaves outliers out", () => {
  const state = new RunState();
  const rows = Array.from({ length: 150 }, (_, i) => parameterRow(`p${i}`));
  state.setParameters(rows);
  state.applySample(sample(rows.map((_, i) => (i === 7 ? 2e9 : 0.5)), rows.map(() => 1)));
  state.fitScales();
  assert.ok((state.domain?.[1] ?? 99) <= 2);
  assert.equal(state.extent?.[1], 10);
});

test("a table that grows in mid-run has its new rows measured by the next sample", () => {
  const state = new RunState();
  state.setParameters([parameterRow("a")]);
  state.applySample(sample([0.5], [1]));
  state.setParameters([parameterRow("a"), parameterRow("b")]);
  state.applySample({ ...sample([0.5, 0.25], [1, 4]), step: 8 });
  assert.deepEqual([...state.norms], [0.5, 0.25]);
  assert.deepEqual([...state.states], [1, 4]);
  assert.equal(state.tree.root.parameters.length, 2);
});

test("a sample that came before the table that it speaks of is whole once the table is there", () => {
  const state = new RunState();
  state.setParameters([parameterRow("a")]);
  state.applySample(sample([0.5, 0.25], [1, 4]));
  state.setParameters([parameterRow("a", { step: 6 }), parameterRow("b")]);
  assert.deepEqual([...state.norms], [0.5, 0.25]);
  assert.deepEqual([...state.states], [1, 4]);
  assert.equal(state.sampleStep, 7);
});

test("what was missed without a connection is taken from the table when it is back", () => {
  const state = new RunState();
  state.setParameters([parameterRow("a")]);
  state.applySample(sample([0.5], [1]));
  state.setParameters([parameterRow("a", { state: "zero", grad_norm: 0, step: 9 })]);
  assert.deepEqual([...state.states], [2]);
  assert.deepEqual([...state.norms], [0]);
  assert.equal(state.sampleStep, 9);
});

test("a parameter that was replaced has no state and no norm, so it is no trouble", () => {
  const state = new RunState();
  state.setParameters([parameterRow("a (replaced at step 4)", { removed: true, grad_norm: 9 }), parameterRow("a")]);
  state.applySample(sample([9, 0.5], [4, 1]));
  assert.deepEqual([...state.states], [0, 1]);
  assert.deepEqual([...state.norms], [NaN, 0.5]);
});

test("gates that were told before the table stand in its rows", () => {
  const state = new RunState();
  state.setGates([gateRow(1, { site: "param:a" })]);
  state.setParameters([parameterRow("a")]);
  assert.deepEqual([...state.gatesByNode.keys()], ["p:a"]);
});

test("the axis holds the one norm of a hundred that the ramp leaves out", () => {
  const state = new RunState();
  state.setParameters(Array.from({ length: 200 }, (_, i) => parameterRow(`p${i}`)));
  state.applySample(sample([2e-9, ...Array(198).fill(1), 5e8], Array(200).fill(1)));
  state.fitScales();
  assert.deepEqual(state.extent, [-9, 9]);
  assert.deepEqual(state.domain, [-1, 1]);
});

test("the axis holds the lowest and highest of what a frame stands for", () => {
  const state = new RunState();
  state.setParameters([parameterRow("a")]);
  state.applySample({ ...sample([1], [1]), lows: Float32Array.from([2e-5]), highs: Float32Array.from([5e5]) });
  state.fitScales();
  assert.deepEqual(state.extent, [-5, 6]);
});

test("alerts and notes go by position, the first of several, and those of the whole run apart", () => {
  const state = new RunState();
  /** @type {import("../../../static/wire.js").Alert} */
  const first = { parameter: 1, name: "b", since_step: 3, cause: null, detail: "first", where: null, level: "alert" };
  const ofRun = { ...first, parameter: null, name: null };
  /** @type {import("../../../static/wire.js").Alert} */
  const note = { ...first, level: "note", others: [3] };
  const second = { ...first, detail: "second" };
  state.setAlerts([ofRun, first, second, note]);
  assert.deepEqual([...state.alerts], [[1, first]]);
  assert.deepEqual([...state.notes], [[1, note], [3, note]]);
  assert.deepEqual([...state.told], [[1, [first, second, note]], [3, [note]]]);
  assert.deepEqual(state.ofRun, [ofRun]);
});

test("movement is of the latest look at each parameter, live or stored", () => {
  const state = new RunState();
  state.setParameters([parameterRow("a", { update_ratio: 0.5, weight_norm: 2 }), parameterRow("b")]);
  assert.deepEqual([...state.ratios], [0.5, NaN]);
  state.applySample({ ...sample([1, 1], [1, 1]), ratios: Float32Array.from([NaN, 0.25]), weights: Float32Array.from([NaN, 4]) });
  assert.deepEqual([...state.ratios], [0.5, 0.25]);
  state.applySample(sample([1, 1], [1, 1]));
  state.setParameters([parameterRow("a"), parameterRow("b")]);
  assert.deepEqual([...state.weights], [2, 4]);
});

test("what would train and is in no optimizer is known from the table, if the run has an optimizer", () => {
  const state = new RunState();
  const out = { in_optimizer: false };
  const rows = [parameterRow("a"), parameterRow("b", out), parameterRow("c", { ...out, frozen: frozenBy() }), parameterRow("d", { ...out, removed: true })];
  state.setParameters(rows);
  assert.deepEqual(state.loose, [1]);
  state.setParameters(rows.slice(1));
  assert.deepEqual(state.loose, []);
});

test("a run begins with the first sample that is known of, however late that is told", () => {
  const state = new RunState();
  state.applySample({ ...sample([1], [1]), step: 500 });
  assert.deepEqual(state.steps, [500, 500]);
  state.reachBack(3);
  state.applySample({ ...sample([1], [1]), step: 501 });
  assert.deepEqual(state.steps, [3, 501]);
});
