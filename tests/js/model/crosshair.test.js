/** The step that charts share. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Crosshair } from "../../../static/model/crosshair.js";

test("listeners hear each change once, and nothing after they stopped", () => {
  const crosshair = new Crosshair();
  /** @type {(number | null)[]} */
  const heard = [];
  const stop = crosshair.listen((step) => heard.push(step));
  crosshair.point(7);
  crosshair.point(7);
  crosshair.point(null);
  stop();
  crosshair.point(9);
  assert.deepEqual(heard, [7, null]);
  assert.equal(crosshair.step, 9);
});

test("two charts hear the same step", () => {
  const crosshair = new Crosshair();
  const heard = new Map();
  crosshair.listen((step) => heard.set("lines", step));
  crosshair.listen((step) => heard.set("heatmap", step));
  crosshair.point(120);
  assert.deepEqual([...heard], [["lines", 120], ["heatmap", 120]]);
});
