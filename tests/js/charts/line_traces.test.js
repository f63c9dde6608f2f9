import assert from "node:assert/strict";
import { test } from "node:test";

import { bandOutline } from "../../../static/charts/line_traces.js";
import { chart, HOSTILE, line } from "../support/figures.js";

const LOG = Object.freeze({ log: true, range: /** @type {const} */ ([0.1, 10]) });

test("no hostile name reaches the lines as markup", () => {
  const text = JSON.stringify(chart({
    lines: [line([1], [1], HOSTILE)],
    marks: [{ step: 1, kind: "command", label: `freeze ${HOSTILE}`, gating: false }],
  }));
  assert.equal(text.includes("<script"), false);
  assert.equal(text.includes("&lt;script"), true);
});

test("a band is a closed outline for each stretch without a gap", () => {
  const { x, y } = bandOutline({ begins: [0, 2, 3, 4], steps: [1, 2, 3, 4], min: [1, 2, null, 4], max: [5, 6, null, 8] }, LOG);
  assert.deepEqual(x, [0, 1, 2, 2, 1, 0, null, 4, 4, 4, 4, null]);
  assert.deepEqual(y, [5, 5, 6, 2, 1, 1, null, 8, 8, 4, 4, null]);
});

test("a band below zero is drawn on a linear axis", () => {
  const { y } = bandOutline({ begins: [1, 2], steps: [1, 2], min: [-3, -2], max: [-1, 0] }, { log: false, range: [-3, 0] });
  assert.deepEqual(y, [-1, -1, 0, -2, -3, -3, null]);
});

test("a step without a value is a gap: the line does not run across it", () => {
  const { data } = chart({
    lines: [line([1, 2, 3], [0.5, null, 0.25])],
  });
  const drawn = data.find((each) => each["name"] === "a");
  assert.deepEqual(drawn?.["y"], [0.5, null, 0.25]);
  assert.equal(drawn?.["connectgaps"], false);
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

test("a band on a log axis reaches its foot where its lowest is no value above zero: no spike is lost", () => {
  const { x, y } = bandOutline({ begins: [1, 2, 3], steps: [1, 2, 3], min: [1, 0, 2], max: [3, 4, 5] }, LOG);
  assert.deepEqual(x, [1, 1, 2, 3, 3, 2, 1, 1, null]);
  assert.deepEqual(y, [3, 3, 4, 5, 2, LOG.range[0], 1, 1, null]);
  assert.deepEqual(bandOutline({ begins: [1], steps: [1], min: [0], max: [0] }, LOG).x, []);
});

/** @param {Parameters<typeof chart>[0]} changes @param {string} name @returns {any} */
function trace(changes, name) {
  return chart(changes).data.find((each) => each["name"] === name);
}

/** Twenty values between 1 and 2, each of which is one sample. @param {number} at @param {number} value */
function withOne(at, value) {
  const values = Array.from({ length: 20 }, (_, i) => 1 + (i % 10) / 10);
  values[at] = value;
  return line(values.map((_, i) => i + 1), values);
}

test("a spike that would flatten the rest is at the edge, with its value", () => {
  const { x, y, text, marker } = trace({ lines: [withOne(6, 1390)], log: false }, "extreme");
  assert.deepEqual([x, text, marker.symbol], [[7], [" 1.39e3"], ["triangle-up"]]);
  assert.ok(y[0] < 3);
});

test("a spike that is on the axis, of samples one by one, has its value too, but not among a few", () => {
  assert.deepEqual(trace({ lines: [withOne(6, 1390)], log: false, range: [1, 20] }, "extreme").text, [" 1.39e3"]);
  assert.equal(trace({ lines: [line([1, 2, 3], [1, 1, 2])], log: false }, "extreme"), undefined);
});

test("the extreme of buckets is marked, its value told where it stands out; what is drawn whole has no need of it", () => {
  const values = [1, 1.5, 1, 1.6, 1.2];
  const buckets = { ...line([1, 2, 3, 4, 5], values), min: values.map((value) => value - 0.1), max: values.map((value) => value + 0.1) };
  assert.deepEqual(trace({ lines: [buckets], log: false }, "extreme").text, [""]);
  assert.deepEqual(trace({ lines: [{ ...buckets, max: [1.1, 60, 1.1, 1.7, 1.3] }] }, "extreme").text, [" 60.0"]);
  assert.equal(trace({ lines: [withOne(3, 1.2)], log: false }, "extreme"), undefined);
});

test("a smoothed line is drawn over the raw one, which stays as it is", () => {
  const { data } = chart({ lines: [{ ...line([1, 2], [1, 3]), smooth: [1, 2] }], tokens: { text: "#000000" } });
  const [raw, smooth] = ["a", "smoothed"].map((name) => data.findIndex((each) => each["name"] === name));
  assert.ok(smooth > raw && raw >= 0);
  assert.deepEqual([data[raw]["y"], data[smooth]["y"]], [[1, 3], [1, 2]]);
});

test("what was not finite has a cross at the head of its pane", () => {
  const lines = [{ ...line([1, 2], [1, null]), nonfinite: ["", "NaN"] }];
  assert.deepEqual(trace({ lines }, "not finite").x, [2]);
});

test("a value without a neighbour is a point, and so is each where there is room", () => {
  const values = Array.from({ length: 200 }, (_, i) => (i % 2 === 0 || i > 100 ? 1 : null));
  const points = (/** @type {any[]} */ data) => data.find((each) => each.marker?.symbol === "circle")?.x.length;
  assert.equal(points(chart({ lines: [line(values.map((_, i) => i), values)] }).data), 50);
  assert.equal(points(chart({ lines: [line([1, 2, 3], [1, 2, 3])] }).data), 3);
});
