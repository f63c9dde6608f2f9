import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeColumns } from "../../../static/link/columns.js";
import { packColumns } from "../support/columns.js";

test("columns of every type stand behind one another, each at a multiple of eight bytes", () => {
  const columns = decodeColumns(
    packColumns([
      { name: "states", type: "u8", length: 3, data: Uint8Array.of(1, 2, 3) },
      { name: "names", type: "words", length: 2, values: [["größe"], ["b", "c"]] },
      { name: "codes", type: "u32", length: 1, data: Uint32Array.of(70000) },
      { name: "norms", type: "f32", length: 3, data: Float32Array.of(0.5, NaN, Infinity) },
      { name: "steps", type: "f64", length: 1, data: Float64Array.of(2 ** 53) },
      { name: "module", type: "coded", length: 3, values: ["a", null], data: Uint32Array.of(1, 0, 0) },
    ]),
  );
  assert.deepEqual([...(/** @type {Uint8Array} */ (columns["states"]))], [1, 2, 3]);
  assert.deepEqual(columns["names"], [["größe"], ["b", "c"]]);
  assert.deepEqual([...(/** @type {Uint32Array} */ (columns["codes"]))], [70000]);
  assert.deepEqual([...(/** @type {Float32Array} */ (columns["norms"]))], [0.5, NaN, Infinity]);
  assert.deepEqual([...(/** @type {Float64Array} */ (columns["steps"]))], [2 ** 53]);
  assert.deepEqual(columns["module"], [null, "a", "a"]);
});

test("halves are the upper bytes of float32 numbers, in two planes", () => {
  // 1.0 is 3f80, -2.5 is c020, NaN is 7fc0.
  const data = Uint8Array.of(0x3f, 0xc0, 0x7f, 0x80, 0x20, 0xc0);
  const { norms } = decodeColumns(packColumns([{ name: "norms", type: "halves", length: 3, data }]));
  assert.deepEqual([...(/** @type {Float32Array} */ (norms))], [1, -2.5, NaN]);
});

test("what is no answer in columns is an error that says so", () => {
  const column = { name: "a", type: "u8", length: 1, data: Uint8Array.of(1) };
  assert.throws(() => decodeColumns(new ArrayBuffer(4)), /do not begin with GG/);
  assert.throws(() => decodeColumns(packColumns([column], { version: 2 })), /protocol 2, kind 3: reload/);
  assert.throws(() => decodeColumns(packColumns([column], { kind: 1 })), /kind 1/);
  assert.throws(() => decodeColumns(packColumns([{ ...column, type: "u128" }])), /unknown type of column: u128/);
  assert.throws(() => decodeColumns(packColumns([{ ...column, length: 9 }])), /wanted/);
});
