import assert from "node:assert/strict";
import { test } from "node:test";

import { draftOf, formOf, missingIn, withPaused } from "../../../static/gates/gate_draft.js";
import { gatesBelow, gatesByNode, kindsAt, labelsOf, parseSite, placeOfNode, placeOfSite, siteAt, siteWords } from "../../../static/model/gate_sites.js";
import { consequence, gateCount, gateLine, gateWords, normsWords, ruleWords, shareWords, tellingState } from "../../../static/model/gate_words.js";
import { buildTree } from "../../../static/model/module_tree.js";
import { gateCommand, gateRow, parameterRow } from "../support/rows.js";

const ROWS = ["encoder.0.weight", "encoder.0.bias", "head.weight", "scale"].map((name) => parameterRow(name));
const TREE = buildTree(ROWS);

/** @param {string} id */
function node(id) {
  const found = TREE.nodes.get(id);
  assert.ok(found, id);
  return found;
}

test("a site is its kind and a name, which may hold colons", () => {
  assert.deepEqual(parseSite("site:a:b"), { kind: "site", name: "a:b" });
  assert.deepEqual(parseSite("output:"), { kind: "output", name: "" });
  assert.throws(() => parseSite("encoder"), /unknown site: encoder/);
});

test("a site is said in words, and nothing in its name is hidden", () => {
  assert.equal(siteWords("output:encoder"), "output of encoder");
  assert.equal(siteWords("input:"), "input of the whole model");
  assert.equal(siteWords("param:head.weight"), "head.weight");
  assert.equal(siteWords("site:\u202elatent"), "site ⟨U+202E⟩latent");
});

test("a row offers its own sites, the likely one first", () => {
  assert.deepEqual(kindsAt(placeOfNode(node("m:encoder"), ROWS)), ["output", "input", "site"]);
  const place = placeOfNode(node("p:encoder.0.bias"), ROWS);
  assert.deepEqual(kindsAt(place), ["param", "output", "input", "site"]);
  assert.deepEqual(["param", "output", "site"].map((kind) => siteAt(place, /** @type {any} */ (kind), "latent")), [
    "param:encoder.0.bias",
    "output:encoder.0",
    "site:latent",
  ]);
});

test("a gate that is there offers the sites of its place", () => {
  assert.deepEqual(placeOfSite("param:head.weight", ROWS), { parameter: "head.weight", module: "head", label: null });
  assert.deepEqual(placeOfSite("param:gone", ROWS), { parameter: "gone", module: null, label: null });
  assert.deepEqual(kindsAt(placeOfSite("site:latent", ROWS)), ["site"]);
});

test("gates stand at their rows; a module without parameters has the nearest one around it", () => {
  const tied = [parameterRow("head.weight", { names: ["head.weight", "embed.weight"] })];
  const gates = [
    gateRow(1, { site: "output:encoder.1.relu" }),
    gateRow(2, { site: "param:encoder.0.bias" }),
    gateRow(3, { site: "site:latent" }),
    gateRow(4, { site: "input:" }),
    gateRow(5, { site: "output:nowhere" }),
  ];
  const found = gatesByNode(gates, TREE, ROWS);
  const ids = [...found].map(([id, rows]) => [id, rows.map((row) => row.id)]);
  assert.deepEqual(ids, [["m:encoder", [1]], ["p:encoder.0.bias", [2]], ["m:", [4, 5]]]);
  assert.deepEqual(gatesBelow(node("m:encoder"), found).map(({ id }) => id).sort(), [1, 2]);
  const other = gatesByNode([gateRow(1, { site: "param:embed.weight" })], buildTree(tied), tied);
  assert.deepEqual([...other.keys()], ["p:head.weight"]);
});

test("the labels of sites come from the gates that name them", () => {
  const sites = ["site:b", "param:w", "site:a", "site:b"];
  assert.deepEqual(labelsOf(sites.map((site, i) => gateRow(i, { site }))), ["a", "b"]);
});

test("a rule is one line in the log", () => {
  const line = (/** @type {Partial<import("../../../static/wire.js").GateRow>} */ changes) => {
    const { verb, object } = ruleWords(gateRow(1, changes));
    return `${verb} ${object}`;
  };
  assert.equal(line({}), "block output:encoder when norm > 10");
  assert.equal(line({ action: "scale", factor: -1, when: "True" }), "scale output:encoder by −1 always");
  assert.equal(line({ action: "clip", max_norm: 0.5, hold: 10 }), "clip output:encoder to norm 0.5 when norm > 10, for at least 10 steps");
});

test("a command says what a gate does then, or that it is paused or removed", () => {
  const words = (/** @type {Parameters<typeof gateWords>[0]} */ draft) => Object.values(gateWords(draft)).join(" ");
  assert.equal(words(gateCommand(1)), "block output:encoder when norm > 10");
  assert.equal(words(gateCommand(1, { gate: 3 })), "block output:encoder when norm > 10 (gate 3)");
  assert.equal(words(gateCommand(1, { gate: 3, paused: true })), "pause gate 3: block output:encoder when norm > 10");
  assert.equal(words({ kind: "ungate", gate: 3 }), "remove gate 3");
});

test("what a gate has done is said with its numbers", () => {
  assert.equal(shareWords({ steps: 1000, closed_steps: 212 }), "closed 21 % of 1,000 steps");
  assert.equal(shareWords({ steps: 0, closed_steps: 0 }), "not reached yet");
  assert.equal(normsWords({ norm_in: 12.34, norm_out: 0 }), "12.3 → 0");
  assert.equal(normsWords({ norm_in: 12.34, norm_out: null }), "12.3 → –");
  assert.equal(normsWords({ norm_in: null, norm_out: null }), "not measured");
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
  assert.equal(gateCount([open, paused]), "2");
  assert.equal(gateCount([gateRow(3, { closed: true, problem: "no loss" })]), "1, 1 closed, 1 problem");
});

test("what an action does depends on where it is", () => {
  const said = (/** @type {Partial<import("../../../static/wire.js").GateRow>} */ changes) => consequence(gateRow(1, changes));
  assert.match(said({ site: "param:w" }), /w gets no gradient, and the optimizer leaves it alone/);
  assert.match(said({ site: "input:encoder" }), /the module trains on/);
  assert.match(said({ site: "output:" }), /nothing passes the output of the whole model/);
  assert.match(said({ action: "scale", factor: 2 }), /multiplied by the factor/);
});

test("a form becomes what is sent, with the numbers of its action alone", () => {
  const place = placeOfNode(node("m:encoder"), ROWS);
  const form = { ...formOf(place, null), when: "norm > 10", factor: "-1", max_norm: "5", hold: "" };
  const draft = draftOf(place, form, null);
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
  });
  assert.equal(draftOf(place, { ...form, action: "scale" }, null).factor, -1);
  assert.equal(draftOf(place, { ...form, action: "clip" }, null).max_norm, 5);
});

test("a gate that is changed keeps its number and stays paused", () => {
  const gate = gateRow(3, { paused: true, action: "scale", factor: -0.5, hold: 4 });
  const place = placeOfSite(gate.site, ROWS);
  const draft = draftOf(place, formOf(place, gate), gate);
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
