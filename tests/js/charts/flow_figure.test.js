import assert from "node:assert/strict";
import { test } from "node:test";

import { blockNames } from "../../../static/charts/depth_axis.js";
import { flowFigure } from "../../../static/charts/flow_figure.js";
import { bandOutline, lineFigure } from "../../../static/charts/line_figure.js";
import { toColumns } from "../../../static/charts/parameter_columns.js";
import { escapePlotly } from "../../../static/charts/plotly_text.js";
import { parameterRow } from "../support/rows.js";

const HOSTILE = "<script>alert(1)</script>";

/**
 * A line of which every sample is drawn.
 * @param {number[]} steps
 * @param {(number | null)[]} values
 * @param {string} [name]
 */
function line(steps, values, name = "a") {
  return { name, steps, values, min: values, max: values, color: "#112233", mark: "1" };
}

/**
 * A figure of lines without marks and bands.
 * @param {Partial<import("../../../static/charts/line_figure.js").LineFigure>} changes
 */
function chart(changes) {
  return lineFigure({ lines: [], marks: [], bands: [], bandWords: "closed", log: true, uirevision: "x", tokens: {}, width: 600, ...changes });
}

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
  const text = JSON.stringify(flow()) + JSON.stringify(chart({
    lines: [line([1], [1], HOSTILE)],
    marks: [{ step: 1, label: `freeze ${HOSTILE}`, gating: false }],
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

test("the hover tells the sample's own step, and none where there is none", () => {
  const text = (/** @type {number | null} */ step) => trace("present", flow({ step })).text[0];
  assert.match(text(7), / · step 7$/);
  assert.doesNotMatch(text(null), /step/);
});

test("a model of one level has its names on one line", () => {
  const blocks = [{ label: "a", path: "a", first: 0, last: 9 }];
  assert.deepEqual(blockNames(blocks, 0.02), { near: [{ at: 4.5, text: "a" }], below: [] });
});

test("a band is a closed outline for each stretch without a gap", () => {
  const { x, y } = bandOutline({ steps: [1, 2, 3, 4], min: [1, 2, null, 4], max: [5, 6, null, 8] }, true);
  assert.deepEqual(x, [1, 2, 2, 1, null, 4, 4, null]);
  assert.deepEqual(y, [5, 6, 2, 1, null, 8, 4, null]);
});

test("a band below zero is drawn on a linear axis", () => {
  const { y } = bandOutline({ steps: [1, 2], min: [-3, -2], max: [-1, 0] }, false);
  assert.deepEqual(y, [-1, 0, -2, -3, null]);
});

test("a step without a value is a gap: the line does not run across it", () => {
  const { data } = chart({
    lines: [line([1, 2, 3], [0.5, null, 0.25])],
  });
  const drawn = data.find((each) => each["name"] === "a");
  assert.deepEqual(drawn?.["y"], [0.5, null, 0.25]);
  assert.equal(drawn?.["connectgaps"], false);
});

test("a mark outside the lines' steps is not drawn, and the axis is the lines' own", () => {
  const { data, layout } = chart({
    lines: [line([100, 200], [1, 2]), line([150, 300], [1, 2], "b")],
    tokens: { "state-frozen": "blue", "state-gated": "pink" },
    marks: [5, 100, 250, 301].map((step) => ({ step, label: "freeze a", gating: step === 250 })),
  });
  assert.deepEqual(data.find((each) => each["yaxis"] === "y2")?.["x"], [100, 250]);
  const shapes = /** @type {any} */ (layout)["shapes"];
  assert.deepEqual(shapes.map((/** @type {any} */ { line }) => line.color), ["blue", "pink"]);
  assert.deepEqual(/** @type {any} */ (layout)["xaxis"].autorangeoptions, { minallowed: 100, maxallowed: 306 });
});

test("a narrow chart has fewer steps below it, and none of them is turned", () => {
  const ticks = [900, 300].map((width) => {
    const { nticks, tickangle } = /** @type {any} */ (chart({ width }).layout)["xaxis"];
    return [nticks, tickangle];
  });
  assert.deepEqual(ticks, [[8, 0], [3, 0]]);
});

test("a line has a band where it stands for more than its points, and only there", () => {
  const bands = (/** @type {(number | null)[]} */ max) =>
    chart({
      lines: [{ ...line([1, 2], [1, 2]), max }],
      log: false,
    }).data.filter((each) => each["fill"] === "toself").length;
  assert.equal(bands([1, 2]), 0);
  assert.equal(bands([1, 9]), 1);
});

test("a zero is a gap on a log axis and a value on a linear one", () => {
  const lines = [line([1, 2], [0, 1])];
  const values = (/** @type {boolean} */ log) =>
    chart({ lines, log }).data.find((each) => each["name"] === "a")?.["y"];
  assert.deepEqual(values(true), [null, 1]);
  assert.deepEqual(values(false), [0, 1]);
});

test("the ticks of a log axis are powers over decades, and 1, 2, 5 within one", () => {
  const axis = (/** @type {number[]} */ values) =>
    /** @type {any} */ (
      chart({
        lines: [line([1, 2], values)],
      }).layout["yaxis"]
    );
  assert.equal(axis([0.2, 0.5]).dtick, "D2");
  assert.deepEqual(axis([0.002, 5]).ticktext.includes("10<sup>−2</sup>"), true);
  assert.ok(axis([1e-30, 1]).tickvals.length <= 6);
});

test("a closed gate is a tint and a bar that names it, one lane a gate", () => {
  const bands = [{ gate: 2, from: 9.5, to: 20.5 }, { gate: 2, from: 29.5, to: 30.5 }, { gate: 5, from: 9.5, to: 12.5 }];
  const { data } = chart({ lines: [line([1, 40], [1, 2])], bands, tokens: { "state-gated": "#112233" } });
  const tint = data.find((each) => each["fill"] === "toself");
  assert.equal(tint?.["fillcolor"], "#11223324");
  const bars = /** @type {any[]} */ (data.filter((each) => each["name"] === "gate"));
  assert.deepEqual(bars.map(({ text }) => text[0]), ["gate 2 closed<br>steps 10–20", "gate 5 closed<br>steps 10–12"]);
  assert.equal(bars[0].text[4], "gate 2 closed<br>step 30");
  assert.notEqual(bars[0].y[0], bars[1].y[0]);
});

test("a gated parameter has a row of its own in the strip", () => {
  const norms = Float32Array.from([NaN]);
  const columns = toColumns({ states: Uint8Array.from([7]), norms, lows: norms, highs: norms }, 100);
  const gated = trace("gated", flow({ columns, stripStates: [4, 7], tokens: { "state-gated": "#96297f" } }));
  assert.deepEqual([gated.yaxis, gated.y, gated.marker.symbol], ["y2", [1], "square-x-open"]);
  assert.equal(gated.marker.color, "#96297f");
});
