import assert from "node:assert/strict";
import { test } from "node:test";

import { nextSort, readView, tabOf, writeView } from "../../../static/model/view_url.js";

test("a view survives the URL, hostile names included", () => {
  const view = {
    filter: "encoder.* state:absent & more",
    selected: ["<script>alert(1)</script>", "a&b=c", "ü#?%"],
    tab: "metrics",
    log: /** @type {const} */ ("gates"),
    collapsed: new Set(["encoder.blocks", ""]),
    opened: new Set(["decoder & more"]),
    depth: 2,
    metrics: ["loss"],
    stat: /** @type {const} */ ("update_ratio"),
    smooth: 20,
    scale: /** @type {const} */ ("log"),
    sort: /** @type {const} */ ("-update_ratio"),
    why: "<img src=x onerror=alert(1)>&why=b",
    of: /** @type {const} */ ("mean"),
    colors: /** @type {const} */ ([1e-7, 2.5]),
    within: "encoder.blocks & more",
    events: { kind: "not_moving", level: "alert", text: "a & b=c", dismissed: true },
    event: 12,
    range: /** @type {const} */ ([120, 4096]),
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

test("ends of colours are two numbers above zero, the greater behind", () => {
  const ends = ["1e-6,10", "10,1", "0,1", "1", "1,2,3", "a,b", "1,Infinity"].map((text) => readView(`?colors=${text}`).colors);
  assert.deepEqual(ends, [[1e-6, 10], null, null, null, null, null, null]);
});

test("a kind, a level or an event that there is not chooses nothing", () => {
  const { events, event } = readView("?event_kind=toString&event_level=loud&event_dismissed=no&event=-3");
  assert.deepEqual([events, event], [{ kind: "", level: "", text: "", dismissed: false }, null]);
});

test("an unknown statistic or order reads as the first", () => {
  assert.equal(readView("?stat=toString").stat, "grad_norm");
  assert.equal(readView("?sort=-shape").sort, "");
  assert.equal(readView("?sort=-state").sort, "-state");
  assert.equal(readView("?of=median").of, "max");
  assert.deepEqual([readView("?smooth=7").smooth, readView("?scale=cubic").scale], [0, "linear"]);
});

test("all levels, some, none or as many as fit are open", () => {
  assert.deepEqual(["all", "0", "12", "-1", "deep"].map((depth) => readView(`?depth=${depth}`).depth), [Infinity, 0, 12, null, null]);
  assert.equal(writeView({ ...readView(""), depth: Infinity }), "?depth=all");
});

test("a column sorts the largest first, then the smallest, then not; another one begins anew", () => {
  assert.equal(nextSort("", "grad_norm"), "-grad_norm");
  assert.equal(nextSort("-grad_norm", "grad_norm"), "grad_norm");
  assert.equal(nextSort("grad_norm", "grad_norm"), "");
  assert.equal(nextSort("grad_norm", "update_ratio"), "-update_ratio");
});

test("without a choice the tab follows the selection", () => {
  assert.equal(tabOf(readView("")), "metrics");
  assert.equal(tabOf(readView("?selected=a")), "parameters");
  assert.equal(tabOf(readView("?selected=a&tab=metrics")), "metrics");
});

test("a range that is none reads as the whole run", () => {
  assert.deepEqual(readView("?from=7&to=7").range, [7, 7]);
  for (const query of ["?from=7", "?to=7", "?from=9&to=3", "?from=-1&to=3", "?from=1e3&to=2000", "?from=a&to=b"]) {
    assert.equal(readView(query).range, null);
  }
});
