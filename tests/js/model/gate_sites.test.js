import assert from "node:assert/strict";
import { test } from "node:test";

import { gatesBelow, gatesByNode, parseSite, siteWords } from "../../../static/model/gate_sites.js";
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

test("a gate at a parameter that was removed stands in no row", () => {
  const rows = [parameterRow("head.weight", { removed: true })];
  assert.equal(gatesByNode([gateRow(1, { site: "param:head.weight" })], buildTree(rows), rows).size, 0);
});
