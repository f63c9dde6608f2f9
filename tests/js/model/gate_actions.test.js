import assert from "node:assert/strict";
import { test } from "node:test";

import { actionOf, actionOfField, actionWords, numberOf } from "../../../static/model/gate_actions.js";

/** @param {Partial<Parameters<typeof actionWords>[0]>} changes */
function rule(changes) {
  return { action: /** @type {const} */ ("block"), factor: 0.5, max_norm: 3, ...changes };
}

test("an action is said with its number, as it was typed", () => {
  assert.equal(actionWords(rule({ action: "block" })), "block");
  assert.equal(actionWords(rule({ action: "scale", factor: -0.5 })), "scale by −0.5");
  assert.equal(actionWords(rule({ action: "clip" })), "clip to norm 3");
  assert.equal(actionWords(rule({ action: "clip", max_norm: null })), "clip to norm –");
});

test("each action has the number of its own field", () => {
  assert.deepEqual(["block", "scale", "clip"].map((action) => numberOf(rule({ action: /** @type {any} */ (action) }))), [null, 0.5, 3]);
  assert.deepEqual(["factor", "max_norm", "hold"].map(actionOfField), ["scale", "clip", null]);
});

test("an action from a newer protocol is its name alone", () => {
  assert.equal(actionWords(rule({ action: /** @type {any} */ ("reverse") })), "reverse");
});

test("a number that an action needs is asked for, and a norm is above 0", () => {
  assert.equal(actionOf("block").missing(null), null);
  assert.match(actionOf("scale").missing(null) ?? "", /factor/);
  assert.equal(actionOf("scale").missing(0), null);
  assert.match(actionOf("clip").missing(null) ?? "", /above 0/);
  assert.match(actionOf("clip").missing(0) ?? "", /above 0/);
  assert.equal(actionOf("clip").missing(0.1), null);
});

test("what a closed gate does depends on its action, and a block on its site", () => {
  const site = (/** @type {any} */ kind) => ({ kind, words: "w" });
  assert.match(actionOf("block").consequence(site("param")), /w gets no gradient/);
  assert.match(actionOf("block").consequence(site("input")), /upstream of it is not done/);
  assert.match(actionOf("block").consequence(site("output")), /behind it is not done/);
  assert.match(actionOf("scale").consequence(site("param")), /at w is multiplied/);
  assert.match(actionOf("clip").consequence(site("param")), /at w is shortened/);
});
