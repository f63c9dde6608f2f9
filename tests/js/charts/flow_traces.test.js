import assert from "node:assert/strict";
import { test } from "node:test";

import { toColumns } from "../../../static/charts/parameter_columns.js";
import { flow, trace } from "../support/figures.js";

test("no hostile name reaches the flow chart as markup", () => {
  const text = JSON.stringify(flow());
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

test("what the filter keeps out is dimmed, not hidden", () => {
  const figure = flow({ matched: Uint8Array.from([0, 1, 0, 0]) });
  assert.deepEqual(trace("present", figure).marker.opacity, [0.2]);
  assert.deepEqual(trace("absent", figure).marker.opacity, [1]);
});

test("the hover tells the sample's own step, and none where there is none", () => {
  const text = (/** @type {number | null} */ step) => trace("present", flow({ step })).text[0];
  assert.match(text(7), / · step 7$/);
  assert.doesNotMatch(text(null), /step/);
});

test("a gated parameter has a row of its own in the strip", () => {
  const norms = Float32Array.from([NaN]);
  const columns = toColumns({ states: Uint8Array.from([7]), norms, lows: norms, highs: norms }, 100);
  const gated = trace("gated", flow({ columns, stripStates: [4, 7], tokens: { "state-gated": "#96297f" } }));
  assert.deepEqual([gated.yaxis, gated.y, gated.marker.symbol], ["y2", [1], "square-x-open"]);
  assert.equal(gated.marker.color, "#96297f");
});

test("what is selected has a ring in its line's colour at its own norm, or in the row of its state", () => {
  const rings = flow({ selected: new Map([[1, "#111111"], [2, "#222222"]]) }).data.slice(-2);
  assert.deepEqual(rings.map(({ x }) => x), [[2], [1]]);
  assert.deepEqual(rings.map(({ y }) => y), [[Math.fround(0.01)], [0]]);
  assert.deepEqual(rings.map(({ marker }) => /** @type {any} */ (marker).color), [["#222222"], ["#111111"]]);
});

test("what is selected has its ring too where its column's mark stands for another", () => {
  const norms = Float32Array.from([1, 5, 2, 3]);
  const states = Uint8Array.from([1, 1, 1, 1]);
  const columns = toColumns({ states, norms, lows: norms, highs: norms }, 2);
  const [ring] = flow({ columns, norms, states, selected: new Map([[0, "#111111"]]) }).data.slice(-1);
  assert.deepEqual([ring["x"], ring["y"], /** @type {any} */ (ring["marker"]).symbol], [[0], [1], "circle-open-dot"]);
});

test("the hover tells between which norms a parameter was of late", () => {
  const lows = Float32Array.from([0.25, NaN, NaN, NaN]);
  const highs = Float32Array.from([4, NaN, NaN, NaN]);
  assert.match(trace("present", flow({ lows, highs })).text[0], /of late 0\.250 to 4\.00/);
  assert.doesNotMatch(trace("present", flow()).text[0], /of late/);
});

test("the range of a column that the filter keeps out is not drawn", () => {
  const [norms, lows, highs] = [[1, 1], [0.5, 0.5], [2, 2]].map((each) => Float32Array.from(each));
  const columns = toColumns({ states: Uint8Array.from([1, 1]), norms, lows, highs }, 100);
  assert.deepEqual(flow({ columns }).data[0]["x"], [0, 0, null, 1, 1, null]);
  assert.deepEqual(flow({ columns, matched: Uint8Array.from([0, 1]) }).data[0]["x"], [1, 1, null]);
});
