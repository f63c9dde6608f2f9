import assert from "node:assert/strict";
import { test } from "node:test";

import { metricNames, overlayFigure as typedFigure } from "../../../static/compare/overlay_figure.js";

/** @type {(...given: Parameters<typeof typedFigure>) => {data: any[], layout: any}} */
const overlayFigure = typedFigure;
const TOKENS = { "series-1": "#111111", "series-2": "#222222", line: "#cccccc", font: "x" };

/**
 * @param {string} name
 * @param {Record<string, [number[], (number | null)[]]>} metrics
 * @param {number} [place]
 * @returns {any}
 */
function compared(name, metrics, place = 0) {
  const rows = Object.entries(metrics).map(([key, [steps, values]]) => [key, { first_steps: steps, steps, values, min: values, max: values }]);
  const last = Math.max(...Object.values(metrics).flatMap(([steps]) => steps));
  const times = { steps: [0, last], times: [1000, 1000 + last * 10] };
  return { label: name, place, steps: [0, last], times, metrics: Object.fromEntries(rows) };
}

const RUNS = [
  compared("<b>a</b>", { loss: [[1, 50], [2, 1]] }),
  compared("b", { loss: [[10, 200], [3, 0.5]], accuracy: [[1], [0.5]] }, 1),
];

test("each run is a line in its colour, its name text and no markup", () => {
  const { data } = overlayFigure("loss", RUNS, "step", TOKENS);
  assert.deepEqual(data.map(({ x, y }) => [x, y]), [[[1, 50], [2, 1]], [[10, 200], [3, 0.5]]]);
  assert.equal(data[0].name, "&lt;b&gt;a&lt;/b&gt;");
  assert.deepEqual(data.map(({ line }) => line.color), ["#111111", "#222222"]);
});

test("as a share each run ends at 100 %", () => {
  const { data } = overlayFigure("loss", RUNS, "share", TOKENS);
  assert.deepEqual(data.map(({ x }) => x), [[2, 100], [5, 100]]);
});

test("a run without the metric has no line, and keeps the others' colours", () => {
  const { data } = overlayFigure("accuracy", RUNS, "step", TOKENS);
  assert.deepEqual(data.map(({ line }) => line.color), ["#222222"]);
  assert.deepEqual(metricNames(RUNS), ["loss", "accuracy"]);
});

test("values over decades have a log axis, and none with a zero among them", () => {
  const wide = [compared("a", { loss: [[1, 2], [1, 1390]] })];
  assert.equal(overlayFigure("loss", wide, "step", TOKENS).layout.yaxis.type, "log");
  const zero = [compared("a", { loss: [[1, 2], [0, 1390]] })];
  assert.equal(overlayFigure("loss", zero, "step", TOKENS).layout.yaxis.type, "linear");
});

test("the loss is the first of the metrics, and what Gradgate measures the last", () => {
  const runs = [compared("a", { "gradgate/total_grad_norm": [[1], [1]], accuracy: [[1], [1]], loss: [[1], [1]] })];
  assert.deepEqual(metricNames(runs), ["loss", "accuracy", "gradgate/total_grad_norm"]);
});

test("by time each run begins at 0, in a unit that is read well", () => {
  const { data, layout } = overlayFigure("loss", RUNS, "time", TOKENS);
  assert.deepEqual(data.map(({ x }) => x), [[10 / 60, 500 / 60], [100 / 60, 2000 / 60]]);
  assert.equal(layout.xaxis.ticksuffix, " min");
});

test("of a bucket the least and the greatest value are drawn, and a spike in it is seen", () => {
  const run = compared("a", { loss: [[10, 20, 30], [1, 2, null]] });
  Object.assign(run.metrics.loss, { first_steps: [1, 11, 21], min: [0.5, 2, null], max: [90, 2, null] });
  const [line] = overlayFigure("loss", [run], "step", TOKENS).data;
  assert.deepEqual([line.x, line.y], [[1, 10, 20, 30], [0.5, 90, 2, null]]);
});
