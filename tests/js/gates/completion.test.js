import assert from "node:assert/strict";
import { test } from "node:test";

import { completed, nameOfMetric, suggestions, wordAt } from "../../../static/gates/completion.js";

const names = (/** @type {string} */ prefix, /** @type {string[]} */ metrics = []) =>
  suggestions(prefix, metrics).map(({ name }) => name);

test("the word at the caret begins before it and ends behind it", () => {
  assert.deepEqual(wordAt("norm > lo", 9), { start: 7, end: 9, prefix: "lo" });
  assert.deepEqual(wordAt("noxx > 1", 2), { start: 0, end: 4, prefix: "no" });
  assert.equal(wordAt("norm > 1", 8), null);
  assert.equal(wordAt("", 0), null);
});

test("metrics have the names that conditions know them by", () => {
  assert.equal(nameOfMetric("train/loss-ema"), "train_loss_ema");
});

test("names of the language, metrics and functions are offered", () => {
  assert.deepEqual(names("no"), ["norm", "norm_avg"]);
  assert.deepEqual(names("lo", ["loss"]), ["loss", "log"]);
  assert.deepEqual(names("LO", ["loss"]), ["loss", "log"]);
  assert.deepEqual(names("step", ["step"]), []);
  assert.deepEqual(names("zzz"), []);
});

test("a name that is whole is not offered alone, but beside longer ones", () => {
  assert.deepEqual(names("closed"), []);
  assert.deepEqual(names("norm"), ["norm", "norm_avg"]);
});

test("a suggestion takes the word's place, a function with its parenthesis", () => {
  const take = (/** @type {string} */ text, /** @type {number} */ caret) => {
    const word = wordAt(text, caret);
    assert.ok(word);
    return completed(text, word, suggestions(word.prefix, ["loss"])[0]);
  };
  assert.deepEqual(take("los > 1", 3), { text: "loss > 1", caret: 4 });
  assert.deepEqual(take("1 < isf", 7), { text: "1 < isfinite(", caret: 13 });
  assert.deepEqual(take("isf(loss)", 3), { text: "isfinite(loss)", caret: 8 });
});

test("no more than eight names are offered", () => {
  const metrics = Array.from({ length: 20 }, (_, i) => `metric_${i}`);
  assert.equal(suggestions("metric", metrics).length, 8);
});
