import assert from "node:assert/strict";
import { test } from "node:test";

import { globMatcher, isGlob, wordMatcher } from "../../../static/base/glob.js";
import { parseFilter } from "../../../static/tree/filter.js";

test("globs match as Python's fnmatch does", () => {
  const cases = /** @type {[string, string, boolean][]} */ ([
    ["*", "anything.at.all", true],
    ["encoder.*", "encoder.a.b", true],
    ["encoder.*", "encoder", false],
    ["a?c", "abc", true],
    ["a?c", "ac", false],
    ["[ab]1", "b1", true],
    ["[!ab]1", "b1", false],
    ["[!ab]1", "c1", true],
    ["[a-c]1", "b1", true],
    ["[z-a]1", "b1", false],
    ["[]]", "]", true],
    ["[", "[", true],
    ["[^a]", "^", true],
    ["a.b", "axb", false],
    ["a+(b)|c$", "a+(b)|c$", true],
    ["*a*", "b\na", true],
    ["?", "𝛂", true],
  ]);
  for (const [pattern, name, wanted] of cases) {
    assert.equal(globMatcher(pattern)(name), wanted, `${pattern} against ${name}`);
  }
});

test("a plain name is no glob", () => {
  assert.equal(isGlob("encoder.weight"), false);
  assert.equal(isGlob("encoder.*"), true);
});

test("sets and ranges are read as fnmatch reads them", () => {
  const cases = /** @type {[string, string, boolean][]} */ ([
    ["[a-]", "-", true],
    ["[-a]", "-", true],
    ["[a-c-e]", "d", false],
    ["[a-c-e]", "e", true],
    ["[!]]", "]", false],
    ["[!z-a]", "m", true],
    ["[\\]", "\\", true],
    ["*.[0-9]*.w", "blocks.12.w", true],
    ["a*b*c", "a.b.b.c", true],
    ["a*b*c", "a.c.b", false],
    ["*", "", true],
    ["", "a", false],
  ]);
  for (const [pattern, name, wanted] of cases) {
    assert.equal(globMatcher(pattern)(name), wanted, `${pattern} against ${name}`);
  }
});

test("a glob that would send a backtracking matcher astray is answered at once", () => {
  const start = performance.now();
  assert.equal(globMatcher("*a*a*a*a*a*a*a*b")("a".repeat(256)), false);
  assert.equal(globMatcher("*".repeat(200) + "b")("a".repeat(500)), false);
  assert.equal(parseFilter("*a*a*a*a*a*a*a*b")?.("a".repeat(256), { state: "present", cause: null, alert: false, note: false }), false);
  assert.ok(performance.now() - start < 1000);
});

test("a word finds a part of a name in upper or lower case, and a glob the whole of it", () => {
  const found = (/** @type {string} */ word) => ["Head.weight", "body.weight", "body.bias"].filter(wordMatcher(word));
  assert.deepEqual(found("head"), ["Head.weight"]);
  assert.deepEqual(found("body.*"), ["body.weight", "body.bias"]);
  assert.deepEqual(found("weigh?"), []);
  assert.deepEqual(found(""), ["Head.weight", "body.weight", "body.bias"]);
});
