import assert from "node:assert/strict";
import { test } from "node:test";

import { pathRows, pathSentence, shortLocation } from "../../../static/explain/gradient_path.js";

/** @typedef {import("../../../static/wire.js").Station} Station */

/**
 * @param {number} count
 * @param {Station["flow"]} flow
 * @returns {Station[]}
 */
function stations(count, flow) {
  return Array.from({ length: count }, (_, i) => ({ label: `${flow}.${i}`, kind: "module", flow, where: null }));
}

const WAY = Object.freeze([...stations(8, "flows"), ...stations(1, "stops"), ...stations(3, "none")]);

/** @param {readonly Station[]} path @param {number} room */
function drawn(path, room) {
  return pathRows(path, room).map((row) => (row.station === null ? row.folded : row.station.label));
}

test("a way is folded only when there is no room, and only where stations are alike", () => {
  assert.equal(drawn(WAY, 12).length, 12);
  assert.deepEqual(drawn(WAY, 11), ["flows.0", "flows.1", 4, "flows.6", "flows.7", "stops.0", "none.0", "none.1", "none.2"]);
  assert.deepEqual(drawn(stations(5, "none"), 1).length, 5);
});

test("the way is a sentence for those who do not see it", () => {
  assert.equal(
    pathSentence(WAY),
    "From the loss the gradient flows through 8 stations, stops at stops.0, and does not come to 3 stations behind.",
  );
  const spoilt = [...stations(2, "flows"), ...stations(1, "turns"), ...stations(2, "nonfinite")];
  assert.equal(
    pathSentence(spoilt),
    "From the loss the gradient flows through 2 stations, turns into NaN or infinity at turns.0, and comes so to 2 stations behind.",
  );
  assert.equal(pathSentence(stations(1, "flows")), "From the loss the gradient flows through 1 station.");
});

test("a place is short without its folders", () => {
  assert.equal(shortLocation("/home/me/project/train.py:41"), "train.py:41");
  assert.equal(shortLocation("C:\\work\\train.py:41"), "train.py:41");
  assert.equal(shortLocation("train.py:41"), "train.py:41");
});
