/** Rows and frames as docs/protocol.md has them, for the tests. */

/**
 * @param {string} name
 * @param {Partial<import("../../../static/model/records.js").ParameterRow>} [changes]
 * @returns {import("../../../static/model/records.js").ParameterRow}
 */
export function parameterRow(name, changes = {}) {
  const dot = name.lastIndexOf(".");
  return {
    index: 0,
    name,
    names: [name],
    module: dot < 0 ? "" : name.slice(0, dot),
    shape: [4, 2],
    numel: 8,
    dtype: "float32",
    device: "cpu",
    in_optimizer: true,
    state: "unmeasured",
    frozen: null,
    removed: false,
    grad_norm: null,
    grad_max: null,
    update_ratio: null,
    weight_norm: null,
    step: null,
    ...changes,
  };
}

/**
 * @param {Partial<import("../../../static/model/records.js").Frozen>} [changes]
 * @returns {import("../../../static/model/records.js").Frozen}
 */
export function frozenBy(changes = {}) {
  return { by: "python", mode: "grad", hold_stats: false, since_step: 1, command: null, ...changes };
}

/**
 * @param {number} id
 * @param {Partial<import("../../../static/model/records.js").FreezeCommand>} [changes]
 * @returns {import("../../../static/model/records.js").FreezeCommand}
 */
export function commandRow(id, changes = {}) {
  return {
    id,
    kind: "freeze",
    target: "encoder",
    mode: "grad",
    hold_stats: false,
    reset_state: false,
    limit: null,
    by: "browser",
    state: "requested",
    step: null,
    parameters: [],
    count: 0,
    reason: null,
    detail: null,
    saved: null,
    requested: 1,
    times: { requested: 1 },
    ...changes,
  };
}

const RULE = Object.freeze({
  site: "output:encoder",
  when: "norm > 10",
  action: /** @type {const} */ ("block"),
  factor: null,
  max_norm: null,
  hold: 0,
});

/**
 * @param {number} id
 * @param {Partial<import("../../../static/model/records.js").GateRow>} [changes]
 * @returns {import("../../../static/model/records.js").GateRow}
 */
export function gateRow(id, changes = {}) {
  return {
    id,
    ...RULE,
    paused: false,
    by: "browser",
    command: null,
    since_step: 1,
    closed: false,
    steps: 0,
    closed_steps: 0,
    norm_in: null,
    norm_out: null,
    problem: null,
    parameters: [],
    count: 0,
    ...changes,
  };
}

const REPORT = Object.freeze({
  by: "browser",
  state: /** @type {const} */ ("requested"),
  step: null,
  parameters: [],
  count: 0,
  reason: null,
  detail: null,
  saved: null,
  requested: 1,
  times: { requested: 1 },
});

/**
 * @param {number} id
 * @param {Partial<import("../../../static/model/records.js").GateCommand>} [changes]
 * @returns {import("../../../static/model/records.js").GateCommand}
 */
export function gateCommand(id, changes = {}) {
  return { id, target: RULE.site, ...REPORT, kind: "gate", ...RULE, paused: false, gate: null, limit: null, ...changes };
}

/**
 * @param {number} id
 * @param {number} gate
 * @param {Partial<import("../../../static/model/records.js").UngateCommand>} [changes]
 * @returns {import("../../../static/model/records.js").UngateCommand}
 */
export function ungateCommand(id, gate, changes = {}) {
  return { id, target: `gate ${gate}`, ...REPORT, kind: "ungate", gate, ...changes };
}

/**
 * @param {Partial<import("../../../static/wire.js").Preview>} [changes]
 * @returns {import("../../../static/wire.js").Preview}
 */
export function previewOf(changes = {}) {
  return {
    kind: "freeze",
    target: "encoder",
    mode: "grad",
    hold_stats: false,
    reset_state: false,
    parameters: ["encoder.weight", "encoder.bias"],
    count: 2,
    already: 0,
    numel: 16,
    share: 0.25,
    gradient_bytes: 64,
    state_bytes: 128,
    trainable_after: 6,
    trainable_numel_after: 48,
    not_in_optimizer: [],
    tied: [],
    running_stats: [],
    cut_off: null,
    recompiles: false,
    warnings: [],
    ...changes,
  };
}

/**
 * A sample frame, byte by byte.
 * @param {object} frame
 * @param {number[]} frame.states
 * @param {Record<number, number[]>} frame.values by statistic code
 * @param {number} [frame.version]
 * @param {number} [frame.flags]
 */
export function packSample({ states, values, version = 1, flags = 0 }) {
  const codes = Object.keys(values).map(Number);
  const pad = (/** @type {number} */ bytes) => Math.ceil(bytes / 8) * 8;
  const statesAt = 40 + pad(codes.length);
  const valuesAt = statesAt + pad(states.length);
  const buffer = new ArrayBuffer(valuesAt + codes.length * states.length * 4);
  const view = new DataView(buffer);
  view.setUint8(0, 0x47);
  view.setUint8(1, 0x47);
  view.setUint8(2, version);
  view.setUint8(3, 1);
  view.setUint8(4, flags);
  view.setUint8(5, codes.length);
  view.setBigUint64(8, 3n, true);
  view.setBigUint64(16, 120n, true);
  view.setFloat64(24, 1700000000.5, true);
  view.setUint32(32, states.length, true);
  codes.forEach((code, i) => view.setUint8(40 + i, code));
  states.forEach((state, i) => view.setUint8(statesAt + i, state));
  codes.forEach((code, k) =>
    values[code].forEach((value, i) =>
      view.setFloat32(valuesAt + (k * states.length + i) * 4, value, true),
    ),
  );
  return buffer;
}

/**
 * @param {number} id
 * @param {Partial<import("../../../static/model/records.js").ExplainCommand>} [changes]
 * @returns {import("../../../static/model/records.js").ExplainCommand}
 */
export function explainCommand(id, changes = {}) {
  return { id, target: "encoder.weight", ...REPORT, kind: "explain", ...changes };
}

/**
 * @param {number | null} parameter
 * @param {Partial<import("../../../static/wire.js").Explanation>} [changes]
 * @returns {import("../../../static/wire.js").Explanation}
 */
export function explanation(parameter, changes = {}) {
  return {
    parameter,
    name: `p${parameter}`,
    cause: "detached",
    where: "train.py:41",
    detail: "It reaches the loss only through `h.detach()`.",
    advice: "Remove it.",
    path: [],
    source: null,
    ...changes,
  };
}

/**
 * What a traced step showed.
 * @param {readonly import("../../../static/wire.js").Explanation[]} explanations
 * @param {Partial<import("../../../static/model/records.js").Explanations>} [changes]
 * @returns {import("../../../static/model/records.js").Explanations}
 */
export function traced(explanations, changes = {}) {
  return {
    step: 412,
    seconds: 0.0312,
    ratio: 4.2,
    total: explanations.length,
    left_out: 0,
    by: "job",
    command: null,
    time: 10,
    explanations: [...explanations],
    ...changes,
  };
}

/**
 * A metric of single points as the server sends it; what is null is NaN.
 * @param {{steps: number[], values: (number | null)[]}} points
 * @returns {import("../../../static/wire.js").MetricRow}
 */
export function metricRow({ steps, values }) {
  const none = values.map(() => 0);
  const nan = values.map((value) => (value === null ? 1 : 0));
  return { first_steps: [...steps], steps, values: [...values], min: [...values], max: [...values], count: values.map(() => 1), nan, posinf: none, neginf: none };
}
