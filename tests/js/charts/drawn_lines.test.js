import assert from "node:assert/strict";
import { test } from "node:test";

import { drawnLines, lineStyle } from "../../../static/charts/drawn_lines.js";
import { Metrics } from "../../../static/charts/metrics.js";
import { trackOf } from "../../../static/charts/track.js";
import { metricRow } from "../support/rows.js";
import { readView } from "../../../static/model/view_url.js";

const TOKENS = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`series-${i + 1}`, `colour ${i + 1}`]));

/** A rising track from step 1 on. @param {number} count */
function track(count) {
  const steps = Array.from({ length: count }, (_, i) => i + 1);
  return trackOf({ steps, values: [...steps] });
}

/** @param {Record<string, number>} counts points by metric */
function metrics(counts) {
  const made = new Metrics();
  made.replace(Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, metricRow(track(count))])), []);
  return made;
}

/**
 * What is known of the whole run.
 * @param {Metrics} metrics
 * @param {Map<string, import("../../../static/charts/track.js").Track>} [series]
 */
function known(metrics, series = new Map()) {
  return { series, metrics, near: metrics };
}

test("a line has the colour and the number of its place, and colours begin again after eight", () => {
  assert.deepEqual(lineStyle(0, TOKENS), { color: "colour 1", mark: "1" });
  assert.deepEqual(lineStyle(9, TOKENS), { color: "colour 2", mark: "10" });
});

test("selected parameters are in the key at once, and drawn when their series is there", () => {
  const series = new Map([["b", track(3)]]);
  const drawn = drawnLines(readView("?selected=a&selected=b"), known(metrics({}), series), 100, TOKENS);
  assert.deepEqual(drawn.key.map(({ name, mark }) => [name, mark]), [["a", "1"], ["b", "2"]]);
  assert.deepEqual(drawn.lines.map(({ name, mark, steps }) => [name, mark, steps]), [["b", "2", [1, 2, 3]]]);
  assert.equal(drawn.lines.every(({ everySample }) => everySample), true);
});

test("every metric is in the key with its latest value, and those that are shown are drawn", () => {
  const drawn = drawnLines(readView("?tab=metrics"), known(metrics({ accuracy: 2, loss: 3 })), 100, TOKENS);
  assert.deepEqual(drawn.key.map(({ name, value, shown }) => [name, value, shown]), [["accuracy", 2, false], ["loss", 3, true]]);
  assert.deepEqual(drawn.lines.map(({ name, mark }) => [name, mark]), [["loss", "2"]]);
});

test("lines have no more points than there is room for, and it is said", () => {
  const series = new Map([["a", track(300)]]);
  const drawn = drawnLines(readView("?selected=a"), known(metrics({}), series), 100, TOKENS);
  assert.ok(drawn.lines[0].steps.length <= 100);
  assert.equal(drawn.lines[0].everySample, false);
});

test("a metric in buckets is said to be", () => {
  const buckets = metrics({});
  buckets.replace({ loss: { ...metricRow({ steps: [10], values: [1] }), min: [0], max: [9], count: [10] } }, []);
  const drawn = drawnLines(readView("?tab=metrics"), known(buckets), 100, TOKENS);
  assert.deepEqual([drawn.lines[0].everySample, drawn.lines[0].max], [false, [9]]);
});

test("gates' bands are within the steps of the lines", () => {
  const closed = metrics({ "gate 2 closed": 1 });
  closed.add([4, 8, 12].map((step) => ({ step, values: { "gate 2 closed": 1 } })));
  const { bands } = drawnLines(readView("?selected=a"), known(closed, new Map([["a", track(10)]])), 1000, TOKENS);
  assert.deepEqual(bands, [{ gate: 2, from: 1, to: 10 }]);
});

test("in a range only its steps are drawn, and a point to either side", () => {
  const series = new Map([["a", track(300)], ["b", track(9)]]);
  const drawn = drawnLines(readView("?selected=a&selected=b&from=100&to=103"), known(metrics({}), series), 100, TOKENS);
  assert.deepEqual(drawn.lines.map(({ name, steps }) => [name, steps]), [["a", [99, 100, 101, 102, 103]]]);
  assert.equal(drawn.lines.every(({ everySample }) => everySample), true);
});

test("metrics are smoothed over as many points as was chosen, over what they are", () => {
  const [raw, smooth] = ["", "&smooth=20"].map((more) => drawnLines(readView(`?tab=metrics${more}`), known(metrics({ loss: 9 })), 100, TOKENS).lines[0]);
  assert.equal(raw.smooth, undefined);
  assert.deepEqual(smooth.values, raw.values);
  assert.ok(Number(smooth.smooth?.[8]) < 9 && Number(smooth.smooth?.[8]) > 5);
});

test("a metric in a range is the finer one, and its value in the key that of the whole run", () => {
  const near = metrics({});
  near.add([{ step: 2, values: { loss: 7 } }]);
  const drawn = drawnLines(readView("?tab=metrics&from=2&to=2"), { ...known(metrics({ loss: 5 })), near }, 100, TOKENS);
  assert.deepEqual([drawn.lines[0].values, drawn.key[0].value], [[7], 5]);
});
