import assert from "node:assert/strict";
import { test } from "node:test";

import { formatAge, formatBytes, formatCompact, formatCost, formatCount, formatDuration, formatJob, formatNumber, formatRate, formatShape, formatTime, ordinal, plural, shortenMiddle, splitTail } from "../../../static/base/format.js";

test("numbers have three significant digits and a real minus sign", () => {
  const cases = /** @type {[number | null, string][]} */ ([
    [0.012345, "0.0123"],
    [0.0012345, "0.00123"],
    [0.00099, "9.90e−4"],
    [1.5, "1.50"],
    [12.345, "12.3"],
    [999.4, "999"],
    [999.6, "1.00e3"],
    [1.234e-7, "1.23e−7"],
    [-0.5, "−0.500"],
    [0, "0"],
    [null, "–"],
    [NaN, "–"],
    [Infinity, "∞"],
    [-Infinity, "−∞"],
  ]);
  for (const [value, text] of cases) assert.equal(formatNumber(value), text);
});

test("counts are grouped, or shortened with a unit", () => {
  assert.equal(formatCount(1234567), "1,234,567");
  assert.equal(formatCompact(999), "999");
  assert.equal(formatCompact(4640), "4.64 k");
  assert.equal(formatCompact(999_600), "1 M");
  assert.equal(formatCompact(124_000_000), "124 M");
});

test("an age is one rounded unit and never negative", () => {
  const cases = /** @type {[number, string][]} */ ([
    [-3, "0.0 s"],
    [0.34, "0.3 s"],
    [9.96, "10 s"],
    [89, "89 s"],
    [90, "2 min"],
    [5400, "2 h"],
    [200_000, "2 d"],
  ]);
  for (const [seconds, text] of cases) assert.equal(formatAge(seconds), text);
});

test("the probe's cost says share and rhythm", () => {
  assert.equal(formatCost(0.0083, 3), "0.8 % of step time, every 3rd step");
  assert.equal(formatCost(0.12, 1), "12 % of step time, every step");
  assert.equal(formatCost(0.996, 1), "> 99 % of step time, every step");
  assert.equal(formatCost(1, 1), "100 % of step time, every step");
  assert.equal(formatCost(0.0001, 1), "< 0.1 % of step time, every step");
  assert.equal(formatCost(0, 2), "0.0 % of step time, every 2nd step");
  assert.equal(formatCost(null, null), "not measured yet");
});

test("ordinals follow English", () => {
  assert.deepEqual([1, 2, 3, 4, 11, 12, 13, 21, 112].map(ordinal), [
    "1st",
    "2nd",
    "3rd",
    "4th",
    "11th",
    "12th",
    "13th",
    "21st",
    "112th",
  ]);
});

test("rates, shapes and nouns read as a person writes them", () => {
  assert.equal(formatRate(null), "–");
  assert.equal(formatRate(41.26), "41.3");
  assert.equal(formatRate(12345), "12,345");
  assert.equal(formatShape([16, 3, 3]), "16 × 3 × 3");
  assert.equal(formatShape([]), "scalar");
  assert.equal(plural(1, "parameter"), "1 parameter");
  assert.equal(plural(4800, "number"), "4,800 numbers");
});

test("a long name is cut in the middle and never inside a character", () => {
  assert.equal(shortenMiddle("encoder.weight", 20), "encoder.weight");
  assert.equal(shortenMiddle("encoder.layers.0.weight", 11), "encod…eight");
  assert.equal(shortenMiddle("𝛂𝛃𝛄𝛅𝛆", 3), "𝛂…𝛆");
  assert.equal(shortenMiddle("x".repeat(500), 40).length, 40);
});

test("a split name is whole again when its parts are joined", () => {
  for (const name of ["weight", "", "x".repeat(500), "momentum_encoder.stem.weight"]) {
    assert.equal(splitTail(name).join(""), name);
  }
  assert.equal(splitTail("momentum_encoder.stem.weight")[1].length, 10);
});

test("a time of another day has its date", () => {
  const now = new Date(2026, 4, 3, 12, 0, 0);
  const at = (/** @type {Date} */ date) => date.getTime() / 1000;
  assert.equal(formatTime(at(new Date(2026, 4, 3, 9, 5, 7)), now), "09:05:07");
  assert.equal(formatTime(at(new Date(2026, 3, 3, 9, 5, 7)), now), "2026-04-03 09:05:07");
});

test("bytes are decimal, with three digits and a unit", () => {
  assert.deepEqual(
    [0, 768, 999.6, 1536, 210_000_000, 4.56e9].map(formatBytes),
    ["0 B", "768 B", "1 kB", "1.54 kB", "210 MB", "4.56 GB"],
  );
});

test("a job says its ranks when there are several, and that it is compiled", () => {
  const job = { host: "node7", pid: 4711, ranks: 1, compiled: false };
  assert.equal(formatJob(job), "node7, process 4711");
  assert.equal(formatJob({ ...job, ranks: 8, compiled: true }), "node7, process 4711, 8 ranks, compiled");
});

test("a time has the unit that suits it", () => {
  assert.equal(formatDuration(0.0312), "31.2 ms");
  assert.equal(formatDuration(1.25), "1.25 s");
  assert.equal(formatDuration(0.00085), "850 µs");
});
