import assert from "node:assert/strict";
import { test } from "node:test";

import { kindsAt, labelsOf, offerOfNode, offerOfSite, siteAt } from "../../../static/gates/site_offer.js";
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

test("a row offers its own sites, the likely one first", () => {
  assert.deepEqual(kindsAt(offerOfNode(node("m:encoder"), ROWS)), ["output", "input", "site"]);
  const offer = offerOfNode(node("p:encoder.0.bias"), ROWS);
  assert.deepEqual(kindsAt(offer), ["param", "output", "input", "site"]);
  assert.deepEqual(["param", "output", "site"].map((kind) => siteAt(offer, /** @type {any} */ (kind), "latent")), [
    "param:encoder.0.bias",
    "output:encoder.0",
    "site:latent",
  ]);
});

test("a gate that is there offers the sites of its place", () => {
  assert.deepEqual(offerOfSite("param:head.weight", ROWS), { parameter: "head.weight", module: "head", label: null });
  assert.deepEqual(offerOfSite("param:gone", ROWS), { parameter: "gone", module: null, label: null });
  assert.deepEqual(kindsAt(offerOfSite("site:latent", ROWS)), ["site"]);
});

test("the labels of sites come from the gates that name them", () => {
  const sites = ["site:b", "param:w", "site:a", "site:b"];
  assert.deepEqual(labelsOf(sites.map((site, i) => gateRow(i, { site }))), ["a", "b"]);
});
