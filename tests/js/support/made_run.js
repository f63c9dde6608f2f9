/** Rows of the list of runs, for its tests. */

/**
 * @param {Partial<import("../../../static/wire.js").RunRow>} [given]
 * @returns {import("../../../static/wire.js").RunRow}
 */
export function run(given = {}) {
  return {
    id: "a".repeat(16),
    name: "digits",
    number: 1,
    group: null,
    status: "finished",
    step: 10,
    started: 1000,
    server_time: 2000,
    last_seen: 1500,
    sample_time: 1500,
    sample_step: 10,
    steps_per_second: 5,
    cost: 0.01,
    every: 1,
    dropped: 0,
    faults: 0,
    samples: 10,
    parameters: 4,
    trainable: 4,
    not_in_optimizer: 0,
    numel: 100,
    ranks: 1,
    compiled: false,
    host: "laptop",
    pid: 7,
    probe_version: "1",
    torch_version: "2",
    figures: "",
    states: {},
    expect: [],
    restraints: /** @type {any} */ ({}),
    alerts: 0,
    open_alerts: 0,
    last_alert: null,
    tags: [],
    notes: "",
    archived: false,
    keep_days: null,
    keep_gb: null,
    ...given,
  };
}
