import assert from "node:assert/strict";
import { test } from "node:test";

import { codePieces, sourceLines } from "../../../static/explain/code_text.js";

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

test("source keeps its numbers and loses the indentation that all lines share", () => {
  const source = /** @type {import("../../../static/wire.js").Snippet} */ ({ file: "train.py", line: 41, first: 39, lines: ["", "\tif x:", "\t\ty = x.detach()\u202e", "", "    z", ""] });
  assert.deepEqual(sourceLines(source), [
    { number: 40, text: "if x:", meant: false },
    { number: 41, text: "    y = x.detach()⟨U+202E⟩", meant: true },
    { number: 42, text: "", meant: false },
    { number: 43, text: "z", meant: false },
  ]);
  assert.deepEqual(sourceLines({ ...source, first: 41, lines: [""] }), [{ number: 41, text: "", meant: true }]);
});
