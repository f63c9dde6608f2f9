import assert from "node:assert/strict";
import { test } from "node:test";

import { axisNames } from "../../../static/charts/axis_names.js";

/**
 * @param {[string, number][]} sizes paths with their numbers of parameters
 * @param {string[]} [labels] where they are not the last parts of the paths
 */
function blocks(sizes, labels = sizes.map(([path]) => path.split(".").at(-1) ?? "")) {
  let first = 0;
  return sizes.map(([path, size], i) => ({ path, label: labels[i], first, last: (first += size) - 1 }));
}

/** @param {readonly {text: string}[]} names */
function texts(names) {
  return names.map(({ text }) => text);
}

test("a block has its name below it, and in the last row what it is a part of", () => {
  const model = blocks([["encoder.blocks.0", 10], ["encoder.blocks.1", 10], ["decoder", 20]]);
  const { near, around } = axisNames(model, 0.1);
  assert.deepEqual(near, [[{ at: 4.5, shift: 0, text: "0" }, { at: 14.5, shift: 0, text: "1" }, { at: 29.5, shift: 0, text: "decoder" }]]);
  assert.deepEqual(around, [{ at: 9.5, shift: 0, text: "encoder.blocks" }]);
  assert.deepEqual(axisNames(blocks([["a", 10]]), 0.1), { near: [[{ at: 4.5, shift: 0, text: "a" }]], around: [] });
  assert.deepEqual(axisNames([], 0.1), { near: [], around: [] });
});

test("names of small blocks beside a large one are moved apart, and none is left out or cut", () => {
  const model = blocks([["m.wte", 1], ["m.wpe", 1], ["m.embedding_norm", 1], ["m.rest", 995], ["m.ln_f", 1], ["head", 1]]);
  const [row] = axisNames(model, 2).near;
  assert.deepEqual(texts(row), ["wte", "wpe", "embedding_norm", "rest", "ln_f", "head"]);
  const middles = row.map(({ at, shift }) => at / 2 + shift);
  row.slice(1).forEach(({ text }, i) => {
    assert.ok(middles[i + 1] - middles[i] >= ((text.length + row[i].text.length + 2) * 6.2) / 2 - 1e-6);
  });
  assert.ok(middles[0] - (4 * 6.2) / 2 >= -56);
  assert.ok(middles[5] + (5 * 6.2) / 2 <= 1000 / 2 + 44);
  assert.deepEqual(row.map(({ at }) => at), [0, 1, 2, 500, 998, 999]);
});

test("names without room in one row stand in two; without room there, those of the largest blocks do", () => {
  const model = blocks(Array.from({ length: 12 }, (_, i) => [`${"abcdefghijkl"[i]}_layer`, 1 + i]));
  const { near } = axisNames(model, 78 / 350);
  assert.deepEqual(near.map(texts).flat().sort(), model.map(({ label }) => label));
  assert.equal(near.length, 2);
  assert.deepEqual(axisNames(model, 78 / 60).near.flatMap(texts).sort(), ["g_layer", "h_layer", "i_layer", "j_layer", "k_layer", "l_layer"]);
});

test("of more numbered layers than there is room for every second, fifth or tenth is named", () => {
  const layers = (/** @type {number} */ count) => blocks(Array.from({ length: count }, (_, i) => [`h.${i}`, 12]));
  assert.deepEqual(texts(axisNames(layers(4), 0.1).near[0]), ["0", "1", "2", "3"]);
  assert.deepEqual(texts(axisNames(layers(250), 6).near[0]).slice(0, 4), ["0", "20", "40", "60"]);
  assert.deepEqual(texts(axisNames(layers(250), 6).around), ["h"]);
});

test("a model without modules is named as the model", () => {
  assert.deepEqual(texts(axisNames(blocks([["", 3]]), 0.1).near[0]), ["model"]);
});
