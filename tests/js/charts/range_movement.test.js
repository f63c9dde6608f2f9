/** Movements over the steps in one chart, and what the page hears of them. */
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { RangeMovement } from "../../../static/charts/range_movement.js";

/** @type {readonly [number, number]} */
const WHOLE = [0, 999];
/** @type {[readonly [number, number] | null, boolean][]} */
let told = [];
let moves = 0;
/** @type {RangeMovement} */
let movement;

/** @returns {import("../../../static/charts/range_movement.js").Sight} */
function sight() {
  return { shown: movement.range ?? WHOLE, whole: WHOLE };
}

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  [told, moves] = [[], 0];
  movement = new RangeMovement({ onMove: () => (moves += 1), onRest: (range, moved) => told.push([range, moved]) });
});

test("a movement is seen at once, and told as one when it rests", () => {
  assert.ok(movement.zoom(0.5, 250, sight()));
  assert.ok(movement.zoom(0.5, 250, sight()));
  assert.deepEqual([moves, movement.range, told], [2, [188, 437], []]);
  mock.timers.tick(180);
  assert.deepEqual(told, [[[188, 437], true]]);
});

test("there is nothing to zoom out of the whole run, nor to move along it", () => {
  assert.equal(movement.zoom(2, 250, sight()), false);
  movement.pan(50, sight());
  mock.timers.tick(1000);
  assert.deepEqual([moves, told], [0, []]);
});

test("parts of a step add up to steps", () => {
  movement.choose([100, 199]);
  for (const part of [0.4, 0.4, 0.4]) movement.pan(part, sight());
  assert.deepEqual(movement.range, [101, 200]);
});

test("steps that are chosen as they are are told at once, and after what was moved before", () => {
  movement.zoom(0.5, 250, sight());
  movement.choose(null);
  assert.deepEqual(told, [[[125, 624], true], [null, false]]);
  movement.choose(null);
  mock.timers.tick(1000);
  assert.equal(told.length, 2);
});

test("a movement goes on while the page shows what it showed, and ends where others chose other steps", () => {
  movement.zoom(0.5, 250, sight());
  movement.follow(null);
  assert.deepEqual(movement.range, [125, 624]);
  movement.follow([10, 20]);
  mock.timers.tick(1000);
  assert.deepEqual([movement.range, told], [[10, 20], []]);
});

test("keys move, zoom and show the whole run, and others do not", () => {
  movement.choose([400, 499]);
  assert.ok(movement.press("ArrowRight", null, sight()));
  assert.deepEqual(movement.range, [420, 519]);
  assert.ok(movement.press("ArrowLeft", null, sight()));
  assert.ok(movement.press("-", null, sight()));
  assert.deepEqual(movement.range, [375, 524]);
  assert.ok(movement.press("+", 375, sight()));
  assert.deepEqual(movement.range, [375, 474]);
  assert.ok(movement.press("Home", null, sight()));
  assert.equal(movement.range, null);
  assert.equal(movement.press("Enter", null, sight()), false);
});

test("nobody is moved away from steps that the run is not known to have", () => {
  /** @type {readonly [number, number]} */
  const late = [100, 999];
  movement.choose([90, 139]);
  movement.press("ArrowLeft", null, { shown: [90, 139], whole: late });
  assert.deepEqual(movement.range, [90, 139]);
  movement.press("-", null, { shown: [90, 139], whole: late });
  assert.deepEqual(movement.range, [90, 164]);
});

test("at the fewest steps there is nothing to zoom, and the page scrolls", () => {
  movement.choose([10, 13]);
  assert.equal(movement.zoom(0.5, 11, sight()), false);
  assert.equal(movement.zoom(2, 11, sight()), true);
  assert.deepEqual(movement.range, [9, 16]);
});

test("what is zoomed by less than a step adds up", () => {
  movement.choose([10, 29]);
  for (const factor of [0.98, 0.98, 0.98]) assert.ok(movement.zoom(factor, 10, sight()));
  assert.deepEqual(movement.range, [10, 28]);
});
