import assert from "node:assert/strict";
import { test } from "node:test";

import { toColumns } from "../../static/lib/buckets.js";
import { blockNames } from "../../static/lib/blocknames.js";
import { escapePlotly } from "../../static/lib/escape.js";
import { flowFigure } from "../../static/lib/flowfigure.js";
import { bandOutline, linesFigure } from "../../static/lib/linesfigure.js";
import { parameterRow } from "./support/rows.js";

const HOSTILE = "<script>alert(1)</script>";

/** @param {object} [changes] */
function flow(changes = {}) {
  const norms = Float32Array.from([0.5, NaN, 0.01, NaN]);
  const states = Uint8Array.from([1, 4, 5, 6]);
  return flowFigure({
    columns: toColumns({ states, norms, lows: norms, highs: norms }, 100),
    parameters: [HOSTILE, "b", "c", "d"].map((name) => parameterRow(name)),
    blocks: [{ label: HOSTILE, path: HOSTILE, first: 0, last: 3 }],
    domain: [-2, 0],
    extent: [-2, 0],
    stripStates: [4, 6],
    selected: new Map([[0, "#123456"]]),
    matched: null,
    step: 12,
    width: 600,
    height: 300,
    tokens: {},
    ...changes,
  });
}

/** @param {string} name @param {ReturnType<typeof flow>} figure @returns {any} */
function trace(name, figure) {
  return figure.data.find((each) => each["name"] === name);
}

test("Plotly's pseudo-HTML, templates and MathJax are broken in names", () => {
  assert.equal(escapePlotly("<b>&%{x}$a$"), "&lt;b&gt;&amp;%\u200b{x}$\u200ba$\u200b");
});

test("no hostile name reaches a figure as markup", () => {
  const text = JSON.stringify(flow()) + JSON.stringify(linesFigure({
    lines: [{ name: HOSTILE, steps: [1], values: [1], color: "#112233", mark: "1" }],
    marks: [{ step: 1, label: `freeze ${HOSTILE}` }],
    log: true,
    uirevision: "x",
    tokens: {},
  }));
  assert.equal(text.includes("<script"), false);
  assert.equal(text.includes("&lt;script"), true);
});

test("a value is on the log axis, a state without one in the strip", () => {
  const figure = flow();
  assert.equal(trace("present", figure).yaxis, undefined);
  assert.equal(trace("stale", figure).yaxis, undefined);
  assert.equal(trace("absent", figure).yaxis, "y2");
  assert.deepEqual(trace("absent", figure).y, [0]);
  assert.deepEqual(trace("frozen", figure).y, [1]);
});

test("only present values are on the ramp", () => {
  const figure = flow();
  assert.deepEqual(trace("present", figure).marker.cmin, -2);
  assert.equal("colorscale" in trace("stale", figure).marker, false);
  assert.equal("colorscale" in trace("absent", figure).marker, false);
});

test("without such states there is no strip", () => {
  const states = Uint8Array.from([1, 1]);
  const norms = Float32Array.from([1, 2]);
  const columns = toColumns({ states, norms, lows: norms, highs: norms }, 100);
  const { layout } = flow({ columns, stripStates: [] });
  assert.equal(/** @type {any} */ (layout)["yaxis2"].visible, false);
  assert.deepEqual(/** @type {any} */ (layout)["yaxis"].domain, [0, 1]);
});

test("what the filter keeps out is dimmed, not hidden", () => {
  const figure = flow({ matched: Uint8Array.from([0, 1, 0, 0]) });
  assert.deepEqual(trace("present", figure).marker.opacity, [0.2]);
  assert.deepEqual(trace("absent", figure).marker.opacity, [1]);
});

test("a chart keeps its zoom: the revision is constant", () => {
  assert.equal(flow().layout["uirevision"], flow({ step: 13 }).layout["uirevision"]);
});

test("names below the axis do not run into one another", () => {
  const blocks = [
    { label: "0", path: "encoder.blocks.0", first: 0, last: 9 },
    { label: "1", path: "encoder.blocks.1", first: 10, last: 19 },
    { label: "tiny", path: "tiny", first: 20, last: 20 },
    { label: "decoder", path: "decoder", first: 21, last: 40 },
  ];
  const texts = (/** @type {number} */ perPixel) => {
    const { near, below } = blockNames(blocks, perPixel);
    return [near.map(({ text }) => text), below.map(({ text }) => text)];
  };
  assert.deepEqual(texts(0.02), [
    ["blocks.0", "blocks.1"],
    ["encoder", "tiny", "decoder"],
  ]);
  assert.deepEqual(texts(0.3), [["blocks.0"], ["encoder", "decoder"]]);
});

test("a model of one level has its names on one line", () => {
  const blocks = [{ label: "a", path: "a", first: 0, last: 9 }];
  assert.deepEqual(blockNames(blocks, 0.02), { near: [{ at: 4.5, text: "a" }], below: [] });
});

test("a band is a closed outline for each stretch without a gap", () => {
  const { x, y } = bandOutline({
    name: "",
    color: "",
    mark: "",
    steps: [1, 2, 3, 4],
    values: [],
    min: [1, 2, null, 4],
    max: [5, 6, null, 8],
  });
  assert.deepEqual(x, [1, 2, 2, 1, null, 4, 4, null]);
  assert.deepEqual(y, [5, 6, 2, 1, null, 8, 4, null]);
});

test("a zero is a gap on a log axis and a value on a linear one", () => {
  const line = { name: "a", steps: [1, 2], values: [0, 1], color: "#112233", mark: "1" };
  const chart = { lines: [line], marks: [], uirevision: "x", tokens: {} };
  const values = (/** @type {boolean} */ log) =>
    linesFigure({ ...chart, log }).data.find((each) => each["name"] === "a")?.["y"];
  assert.deepEqual(values(true), [null, 1]);
  assert.deepEqual(values(false), [0, 1]);
});

test("the ticks of a log axis are powers over decades, and 1, 2, 5 within one", () => {
  const axis = (/** @type {number[]} */ values) =>
    /** @type {any} */ (
      linesFigure({
        lines: [{ name: "a", steps: [1, 2], values, color: "#112233", mark: "1" }],
        marks: [],
        log: true,
        uirevision: "x",
        tokens: {},
      }).layout["yaxis"]
    );
  assert.equal(axis([0.2, 0.5]).dtick, "D2");
  assert.deepEqual(axis([0.002, 5]).ticktext.includes("10<sup>−2</sup>"), true);
  assert.ok(axis([1e-30, 1]).tickvals.length <= 6);
});
