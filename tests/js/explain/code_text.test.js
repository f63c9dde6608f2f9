import assert from "node:assert/strict";
import { test } from "node:test";

import { sourceLines } from "../../../static/explain/code_text.js";

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
