import assert from "node:assert/strict";
import { test } from "node:test";

import { visible } from "../../../static/base/visible.js";

test("what cannot be seen, or turns text round, becomes a symbol", () => {
  const cases = /** @type {[string, string][]} */ ([
    ["encoder.weight", "encoder.weight"],
    ["a\nb\tc\u0000", "a␊b␉c␀"],
    ["\u007f", "␡"],
    ["x\u202egnp.exe", "x⟨U+202E⟩gnp.exe"],
    ["a\u2066b\u2069\u200b\ufeff", "a⟨U+2066⟩b⟨U+2069⟩⟨U+200B⟩⟨U+FEFF⟩"],
    ["\u0085", "⟨U+0085⟩"],
    ["שלום 𝛂 é", "שלום 𝛂 é"],
  ]);
  for (const [text, wanted] of cases) assert.equal(visible(text), wanted);
});
