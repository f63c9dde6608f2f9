import assert from "node:assert/strict";
import { test } from "node:test";

import { readView, tabOf, writeView } from "../../../static/model/view_url.js";

test("a view survives the URL, hostile names included", () => {
  const view = {
    filter: "encoder.* state:absent & more",
    selected: ["<script>alert(1)</script>", "a&b=c", "ü#?%"],
    tab: "metrics",
    log: /** @type {const} */ ("gates"),
    collapsed: new Set(["encoder.blocks", ""]),
    metrics: ["loss"],
    why: "<img src=x onerror=alert(1)>&why=b",
  };
  assert.deepEqual(readView(writeView(view)), view);
});

test("the view that nobody changed leaves the URL bare", () => {
  assert.equal(writeView(readView("")), "");
});

test("at most eight parameters are selected, each once", () => {
  const many = Array.from({ length: 12 }, (_, i) => `selected=p${i % 10}`).join("&");
  assert.deepEqual(readView(`?${many}&selected=p0`).selected.length, 8);
});

test("an unknown tab reads as none", () => {
  assert.equal(readView("?tab=heatmap").tab, "");
  assert.equal(readView("?log=heatmap").log, "commands");
});

test("without a choice the tab follows the selection", () => {
  assert.equal(tabOf(readView("")), "metrics");
  assert.equal(tabOf(readView("?selected=a")), "parameters");
  assert.equal(tabOf(readView("?selected=a&tab=metrics")), "metrics");
});
