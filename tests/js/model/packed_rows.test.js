import assert from "node:assert/strict";
import { test } from "node:test";

import { rowsOf } from "../../../static/model/packed_rows.js";

test("a row has its entry of each column, and null for a number that is not finite", () => {
  const frozen = { by: "ada", mode: "grad", hold_stats: false, since_step: 3, command: 1 };
  const rows = rowsOf({
    names: [["a.weight", "b.weight"], ["a.bias"]],
    module: ["a", "a"],
    shape: [[4, 2], [4]],
    numel: [8, 4],
    dtype: ["float32", "float32"],
    device: ["cpu", "cpu"],
    in_optimizer: [true, false],
    removed: [false, true],
    state: Uint8Array.of(1, 4),
    frozen: [null, frozen],
    grad_norm: Float32Array.of(0.5, NaN),
    grad_max: Float32Array.of(0.25, Infinity),
    update_ratio: Float32Array.of(NaN, 0.125),
    weight_norm: Float32Array.of(2, 0),
    step: [7, 7],
    gate: [null, 2],
    cause: ["detached", null],
  });
  assert.deepEqual(rows, [
    {
      index: 0,
      name: "a.weight",
      names: ["a.weight", "b.weight"],
      module: "a",
      shape: [4, 2],
      numel: 8,
      dtype: "float32",
      device: "cpu",
      in_optimizer: true,
      removed: false,
      state: "present",
      frozen: null,
      grad_norm: 0.5,
      grad_max: 0.25,
      update_ratio: null,
      weight_norm: 2,
      step: 7,
      gate: null,
      cause: "detached",
    },
    {
      index: 1,
      name: "a.bias",
      names: ["a.bias"],
      module: "a",
      shape: [4],
      numel: 4,
      dtype: "float32",
      device: "cpu",
      in_optimizer: false,
      removed: true,
      state: "absent",
      frozen,
      grad_norm: null,
      grad_max: null,
      update_ratio: 0.125,
      weight_norm: 0,
      step: 7,
      gate: 2,
      cause: null,
    },
  ]);
});
