import assert from "node:assert/strict";
import { test } from "node:test";

import { parseFilter, toggleStateWord } from "../../static/lib/filter.js";

/**
 * @param {string} filter
 * @param {string} name
 * @param {string} [state]
 */
function passes(filter, name, state = "present") {
  return parseFilter(filter)?.(name, state);
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

test("a state is put in, replaced and taken out again", () => {
  assert.equal(toggleStateWord("conv", "absent"), "conv state:absent");
  assert.equal(toggleStateWord("conv state:absent", "zero"), "conv state:zero");
  assert.equal(toggleStateWord("conv state:zero", "zero"), "conv");
});
