import assert from "node:assert/strict";
import { test } from "node:test";

import { chart, line } from "../support/figures.js";

test("a closed gate is a tint and a bar that names it, one lane a gate", () => {
  const bands = [{ gate: 2, from: 9.5, to: 20.5 }, { gate: 2, from: 29.5, to: 30.5 }, { gate: 5, from: 9.5, to: 12.5 }];
  const { data } = chart({ lines: [line([1, 40], [1, 2])], bands, tokens: { "state-gated": "#112233" } });
  const tint = data.find((each) => each["fill"] === "toself");
  assert.equal(tint?.["fillcolor"], "#11223324");
  const bars = /** @type {any[]} */ (data.filter((each) => each["name"] === "gate"));
  assert.deepEqual(bars.map(({ text }) => text[0]), ["gate 2 closed<br>steps 10–20", "gate 5 closed<br>steps 10–12"]);
  assert.equal(bars[0].text[4], "gate 2 closed<br>step 30");
  assert.notEqual(bars[0].y[0], bars[1].y[0]);
});
