import assert from "node:assert/strict";
import { test } from "node:test";

import { factsOf, previewQuery } from "../../../static/commands/freeze_preview.js";
import { previewOf } from "../support/rows.js";

/** @param {Partial<import("../../../static/wire.js").Preview>} [changes] */
function told(changes = {}) {
  return factsOf(previewOf(changes), "").map(({ term, value }) => `${term}: ${value}`);
}

const PLAIN = [
  "Share of the model: 25 %",
  "Gradients: 64 B freed",
  "Optimizer state: 128 B kept",
  "Left trainable: 6 parameters, 48 numbers",
];

test("a freeze that touches nothing else says its share, its bytes and what is left", () => {
  assert.deepEqual(told(), PLAIN);
});

test("a thaw needs gradients, and keeps or drops the optimizer's state", () => {
  const thaw = /** @type {const} */ ({ kind: "thaw" });
  assert.ok(told(thaw).includes("Gradients: 64 B needed"));
  assert.ok(told(thaw).includes("Optimizer state: 128 B kept"));
  assert.ok(told({ ...thaw, reset_state: true }).includes("Optimizer state: 128 B dropped"));
});

test("zero bytes are words, not numbers", () => {
  const none = { gradient_bytes: 0, state_bytes: 0 };
  assert.deepEqual(told(none).slice(1, 3), ["Gradients: nothing to free", "Optimizer state: none held"]);
  assert.equal(told({ ...none, kind: "thaw" })[1], "Gradients: nothing more needed");
});

test("what else is touched comes first, the most telling at the top", () => {
  const facts = told({
    mode: "no_grad",
    cut_off: ["stem.weight"],
    running_stats: ["encoder.norm"],
    tied: [["embed.weight", "head.weight"]],
    not_in_optimizer: ["encoder.scale"],
    recompiles: true,
    already: 1,
    trainable_after: 0,
  });
  assert.deepEqual(facts, [
    "Cut off upstream: stem.weight",
    "Statistics run on: encoder.norm",
    "Tied: embed.weight = head.weight",
    "torch.compile: recompiles at the next forward",
    "In no optimizer: encoder.scale",
    "Already frozen: 1 of 2",
    ...PLAIN.slice(0, 3),
    "Left trainable: nothing",
  ]);
});

test("what a no_grad freeze would cut off may not be known yet", () => {
  assert.equal(told({ mode: "no_grad", cut_off: null })[0], "Cut off upstream: known at the next forward");
  assert.deepEqual(told({ mode: "no_grad", cut_off: [] }), PLAIN);
});

test("a long list is cut and kept whole beside it", () => {
  const names = (/** @type {number} */ count) => Array.from({ length: count }, (_, i) => `n${i}`);
  const cut = (/** @type {number} */ count) => factsOf(previewOf({ running_stats: names(count) }), "")[0];
  assert.equal(cut(3).value, "n0, n1, n2");
  assert.equal(cut(3).full, undefined);
  assert.equal(cut(5).value, "n0, n1, n2 and 2 more");
  assert.equal(cut(5).full, "n0, n1, n2, n3, n4");
  assert.equal(cut(20).value, "n0, n1, n2 and 17 or more others");
});

test("the root module has no path, and is named in words", () => {
  assert.equal(told({ running_stats: [""] })[0], "Statistics run on: the whole model");
});

test("names of a job hide nothing", () => {
  assert.equal(told({ cut_off: ["a\u202eb"] })[0], "Cut off upstream: a⟨U+202E⟩b");
});

test("bytes that the job has not told are said to be unknown", () => {
  const unknown = { ...previewOf(), gradient_bytes: null, state_bytes: null };
  const values = factsOf(unknown, "…").map(({ value }) => value);
  assert.deepEqual(values.slice(1, 3), ["…", "…"]);
});

test("the question to the server names every field", () => {
  const query = new URLSearchParams(previewQuery(previewOf({ target: "a&b.*", mode: "no_grad", hold_stats: true })));
  assert.deepEqual(Object.fromEntries(query), {
    kind: "freeze",
    target: "a&b.*",
    mode: "no_grad",
    hold_stats: "true",
    reset_state: "false",
  });
});



test("where all of it is so already, it says all", () => {
  assert.equal(told({ already: 2 })[0], "Already frozen: all 2");
  assert.equal(told({ kind: "thaw", already: 2 })[0], "Already trainable: all 2");
});
