import assert from "node:assert/strict";
import { test } from "node:test";

import { ALERT_WORD, causeWord, parseFilter, stateWord, toggleWord } from "../../../static/tree/filter.js";

/**
 * @param {string} filter
 * @param {string} name
 * @param {string} [state]
 * @param {{cause?: string | null, alert?: boolean, note?: boolean}} [more]
 */
function passes(filter, name, state = "present", { cause = null, alert = false, note = false } = {}) {
  return parseFilter(filter)?.(name, { state, cause, alert, note });
}

test("an empty filter asks for nothing", () => {
  assert.equal(parseFilter("   "), null);
});

test("a plain word is a piece of the name in any case", () => {
  assert.equal(passes("CONV", "encoder.conv1.weight"), true);
  assert.equal(passes("conv2", "encoder.conv1.weight"), false);
});

test("a glob holds for the whole name", () => {
  assert.equal(passes("encoder.*.weight", "encoder.conv1.weight"), true);
  assert.equal(passes("*.weight", "encoder.conv1.bias"), false);
  assert.equal(passes("conv?", "encoder.conv1"), false);
});

test("a state word compares the state", () => {
  assert.equal(passes("state:absent", "a", "absent"), true);
  assert.equal(passes("state:absent", "absent.weight", "present"), false);
  assert.equal(passes("state:zero,stale", "a", "stale"), true);
  assert.equal(passes("state:trouble", "a", "nonfinite"), true);
  assert.equal(passes("state:trouble", "a", "frozen"), false);
});

test("all words must hold", () => {
  assert.equal(passes("conv state:zero", "conv.bias", "zero"), true);
  assert.equal(passes("conv state:zero", "conv.bias", "present"), false);
  assert.equal(passes("conv state:zero", "norm.bias", "zero"), false);
});

test("markup and expression characters are plain text", () => {
  assert.equal(passes("<script>", "<script>alert(1)</script>"), true);
  assert.equal(passes("a.b", "aXb"), false);
  assert.equal(passes("(1)", "alert(1)"), true);
});

test("a cause and an alert are words of their own", () => {
  assert.equal(passes("cause:detached", "a", "absent", { cause: "detached" }), true);
  assert.equal(passes("cause:no_grad,detached", "a", "absent", { cause: "detached" }), true);
  assert.equal(passes("cause:detached", "detached.weight", "absent"), false);
  assert.equal(passes("cause:null", "a", "absent"), false);
  assert.equal(passes("is:alert", "a", "absent", { alert: true }), true);
  assert.equal(passes("is:alert", "is:alert", "absent"), false);
  assert.equal(passes("is:note", "a", "present", { note: true }), true);
  assert.equal(passes("is:note", "is:note", "present", { alert: true }), false);
});

test("a word of trouble is put in, replaced and taken out again", () => {
  assert.equal(toggleWord("conv", stateWord("absent")), "conv state:absent");
  assert.equal(toggleWord("conv state:absent", causeWord("detached")), "conv cause:detached");
  assert.equal(toggleWord("conv cause:detached", ALERT_WORD), "conv is:alert");
  assert.equal(toggleWord("conv is:alert", ALERT_WORD), "conv");
  assert.equal(toggleWord("conv is:note", ALERT_WORD), "conv is:alert");
});

test("a word that is no glob ignores the name's case too", () => {
  assert.equal(passes("conv", "Encoder.Conv1"), true);
});

test("a cause word compares the cause", () => {
  assert.equal(passes("cause:detached", "a", "absent", { cause: "no_grad" }), false);
});
