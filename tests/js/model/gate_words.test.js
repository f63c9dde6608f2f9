import assert from "node:assert/strict";
import { test } from "node:test";

import { gateLine, ruleWords, tellingState } from "../../../static/model/gate_words.js";
import { gateRow } from "../support/rows.js";

test("a rule is one line in the log", () => {
  const line = (/** @type {Partial<import("../../../static/model/records.js").GateRow>} */ changes) => {
    const { verb, object } = ruleWords(gateRow(1, changes));
    return `${verb} ${object}`;
  };
  assert.equal(line({}), "block output:encoder when norm > 10");
  assert.equal(line({ action: "scale", factor: -1, when: "True" }), "scale output:encoder by −1 always");
  assert.equal(line({ action: "clip", max_norm: 0.5, hold: 10 }), "clip output:encoder to norm 0.5 when norm > 10, for at least 10 steps");
});

test("a gate is one line, with how many gradients it keeps away", () => {
  const gate = gateRow(3, { closed: true, count: 6 });
  assert.equal(gateLine(gate), "Gate 3 is closed: block output:encoder when norm > 10, keeps 6 gradients away");
});

test("of several gates a row shows the most telling state", () => {
  const open = gateRow(1);
  const paused = gateRow(2, { paused: true, closed: true });
  assert.equal(tellingState([]), null);
  assert.equal(tellingState([paused]), "paused");
  assert.equal(tellingState([paused, open]), "open");
  assert.equal(tellingState([open, gateRow(3, { closed: true })]), "closed");
});

test("a closed gate that keeps nothing away says nothing of gradients", () => {
  assert.equal(gateLine(gateRow(3, { closed: true })), "Gate 3 is closed: block output:encoder when norm > 10");
});
