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
    ["a\u034fb\u3164\u115f\u2800", "a⟨U+034F⟩b⟨U+3164⟩⟨U+115F⟩⟨U+2800⟩"],
    ["a\u00a0b\u3000c d", "a⟨U+00A0⟩b⟨U+3000⟩c d"],
    ["a\u{e0041}\u{e0100}", "a⟨U+E0041⟩⟨U+E0100⟩"],
    ["👩🏽\u200d💻 ❤\ufe0f\u200d🔥", "👩🏽\u200d💻 ❤\ufe0f\u200d🔥"],
    ["a\u200db\ufe0f", "a⟨U+200D⟩b⟨U+FE0F⟩"],
  ]);
  for (const [text, wanted] of cases) assert.equal(visible(text), wanted);
});
