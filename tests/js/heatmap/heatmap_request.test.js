/** What is asked for, and what opens. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { heatmapQuery, moduleToOpen, modulesAround } from "../../../static/heatmap/heatmap_request.js";

test("a request asks for as many cells as there is room for, within the server's bounds", () => {
  /** @type {import("../../../static/heatmap/heatmap_request.js").Subject} */
  const subject = { stat: "grad_norm", of: "max", within: "a&b" };
  assert.equal(heatmapQuery(subject, { columns: 600, rows: 20 }, [3, 9]), "heatmap?stat=grad_norm&of=max&columns=600&rows=20&match=a%26b&from=3&to=9");
  assert.match(heatmapQuery({ ...subject, within: "" }, { columns: 9000, rows: 9000 }, null), /columns=4096&rows=256$/);
});

test("a module opens itself, neighbours open what they lie in, and nothing opens what is open", () => {
  assert.equal(moduleToOpen("encoder.layers.3", "encoder"), "encoder.layers.3");
  assert.equal(moduleToOpen("layers.0 … layers.3", ""), "layers");
  assert.equal(moduleToOpen("layers.0 … layers.3", "layers"), null);
  assert.equal(moduleToOpen("encoder … decoder", ""), null);
});

test("the way back up names every module around", () => {
  assert.deepEqual(modulesAround("a.b.c"), ["a", "a.b", "a.b.c"]);
  assert.deepEqual(modulesAround(""), []);
});
