/** What is asked for, and what opens. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { heatmapQuery, modulesAround, rowToOpen } from "../../../static/heatmap/heatmap_request.js";

test("a request asks for as many cells as there is room for, within the server's bounds", () => {
  /** @type {import("../../../static/heatmap/heatmap_request.js").Subject} */
  const subject = { stat: "grad_norm", of: "max", within: "a&b" };
  assert.equal(heatmapQuery(subject, { columns: 600, rows: 20 }, [3, 9]), "heatmap?stat=grad_norm&of=max&columns=600&rows=20&match=a%26b&from=3&to=9");
  assert.match(heatmapQuery({ ...subject, within: "" }, { columns: 9000, rows: 9000 }, null), /columns=4096&rows=256$/);
});

test("a row opens what it is called by, and nothing opens what is open", () => {
  assert.equal(rowToOpen("encoder.layers.3", "encoder"), "encoder.layers.3");
  assert.equal(rowToOpen("layers.0 … layers.3", "layers"), "layers.0 … layers.3");
  assert.equal(rowToOpen("layers.0 … layers.3", "layers.0 … layers.3"), null);
});

test("the way back up names every module around", () => {
  assert.deepEqual(modulesAround("a.b.c"), ["a", "a.b", "a.b.c"]);
  assert.deepEqual(modulesAround(""), []);
  assert.deepEqual(modulesAround("a.layers.0 … a.layers.3"), ["a", "a.layers", "a.layers.0 … a.layers.3"]);
  assert.deepEqual(modulesAround("m1 … m4"), ["m1 … m4"]);
});
