import assert from "node:assert/strict";
import { test } from "node:test";

import { bandOutline } from "../../../static/charts/line_traces.js";
import { chart, HOSTILE, line } from "../support/figures.js";

test("no hostile name reaches the lines as markup", () => {
  const text = JSON.stringify(chart({
    lines: [line([1], [1], HOSTILE)],
    marks: [{ step: 1, label: `freeze ${HOSTILE}`, gating: false }],
  }));
  assert.equal(text.includes("<script"), false);
  assert.equal(text.includes("&lt;script"), true);
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

test("a band on a log axis has a gap where its lowest is no value above zero", () => {
  const { x } = bandOutline({ steps: [1, 2, 3], min: [1, 0, 2], max: [3, 4, 5] }, true);
  assert.deepEqual(x, [1, 1, null, 3, 3, null]);
});
