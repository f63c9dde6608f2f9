import assert from "node:assert/strict";
import { test } from "node:test";

import { closingConsequence, draftOf, formOf, missingIn, withPaused } from "../../../static/gates/gate_draft.js";
import { offerOfNode, offerOfSite } from "../../../static/gates/site_offer.js";
import { buildTree } from "../../../static/model/module_tree.js";
import { gateRow, parameterRow } from "../support/rows.js";

const ROWS = ["encoder.0.weight", "encoder.0.bias", "head.weight", "scale"].map((name) => parameterRow(name));
const TREE = buildTree(ROWS);

/** @param {string} id */
function node(id) {
  const found = TREE.nodes.get(id);
  assert.ok(found, id);
  return found;
}

test("what an action does depends on where it is", () => {
  const said = (/** @type {Partial<import("../../../static/model/records.js").GateRow>} */ changes) => closingConsequence(gateRow(1, changes));
  assert.match(said({ site: "param:w" }), /w gets no gradient, and the optimizer leaves it alone/);
  assert.match(said({ site: "input:encoder" }), /the module trains on/);
  assert.match(said({ site: "output:" }), /nothing passes the output of the whole model/);
  assert.match(said({ action: "scale", factor: 2 }), /multiplied by the factor/);
});

test("a form becomes what is sent, with the numbers of its action alone", () => {
  const offer = offerOfNode(node("m:encoder"), ROWS);
  const form = { ...formOf(offer, null), when: "norm > 10", factor: "-1", max_norm: "5", hold: "" };
  const draft = draftOf(offer, form, null);
  assert.deepEqual(draft, {
    kind: "gate",
    site: "output:encoder",
    when: "norm > 10",
    action: "block",
    factor: null,
    max_norm: null,
    hold: 0,
    paused: false,
    gate: null,
    limit: null,
  });
  assert.equal(draftOf(offer, { ...form, action: "scale" }, null).factor, -1);
  assert.equal(draftOf(offer, { ...form, action: "clip" }, null).max_norm, 5);
});

test("a gate that is changed keeps its number and stays paused", () => {
  const gate = gateRow(3, { paused: true, action: "scale", factor: -0.5, hold: 4 });
  const offer = offerOfSite(gate.site, ROWS);
  const draft = draftOf(offer, formOf(offer, gate), gate);
  assert.deepEqual(draft, withPaused(gate, true));
  assert.deepEqual([draft.gate, draft.factor, draft.hold], [3, -0.5, 4]);
});

test("what is missing is said before the job is asked", () => {
  const whole = withPaused(gateRow(1), false);
  assert.equal(missingIn(whole), null);
  assert.match(missingIn({ ...whole, site: "site:" }) ?? "", /label/);
  assert.match(missingIn({ ...whole, when: " " }) ?? "", /norm > 10/);
  assert.match(missingIn({ ...whole, action: "scale" }) ?? "", /factor/);
  assert.equal(missingIn({ ...whole, action: "scale", factor: 0 }), null);
  assert.match(missingIn({ ...whole, action: "clip", max_norm: 0 }) ?? "", /above 0/);
  for (const hold of [-1, 0.5, NaN]) assert.match(missingIn({ ...whole, hold }) ?? "", /whole number/);
});
