import assert from "node:assert/strict";
import { test } from "node:test";

import { codePieces, plainProse } from "../../../static/base/prose.js";

test("code in a sentence is between backticks, and a lone one is a backtick", () => {
  assert.deepEqual(codePieces("`a.weight` stops at `h.detach()`."), [
    { text: "a.weight", code: true },
    { text: " stops at ", code: false },
    { text: "h.detach()", code: true },
    { text: ".", code: false },
  ]);
  assert.deepEqual(codePieces("a ` b"), [{ text: "a ` b", code: false }]);
  assert.deepEqual(codePieces("a\u202eb"), [{ text: "a⟨U+202E⟩b", code: false }]);
});

test("where there can be no elements, code stands without its backticks", () => {
  assert.equal(plainProse("`a.weight` is `None` \u202e"), "a.weight is None ⟨U+202E⟩");
});
