/** The wheel over a chart. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { followWheel } from "../../../static/base/wheel.js";

Object.assign(globalThis, { WheelEvent: { DOM_DELTA_LINE: 1 } });

/**
 * A chart; each turn of the wheel over it tells what it does, and whether the page scrolls.
 * @param {() => boolean} zooms is there anything to zoom?
 */
function chart(zooms) {
  /** @type {(event: any) => void} */
  let listener = () => {};
  /** @type {any} */
  const place = { addEventListener: (/** @type {string} */ _type, /** @type {typeof listener} */ added) => (listener = added) };
  /** @type {[string, number][]} */
  let done = [];
  followWheel(place, {
    zoom: (factor) => {
      done.push(["zoom", Number(factor.toFixed(3))]);
      return zooms();
    },
    pan: (distance) => done.push(["pan", distance]),
  });
  return (/** @type {object} */ event) => {
    done = [];
    let scrolls = true;
    listener({ deltaX: 0, deltaY: 0, deltaMode: 0, shiftKey: false, ctrlKey: false, timeStamp: 1000, ...event, preventDefault: () => (scrolls = false) });
    return { done, scrolls };
  };
}

/** @param {{deltaX?: number, deltaY?: number, deltaMode?: number, shiftKey?: boolean, ctrlKey?: boolean}} event */
function turn(event, zooms = true) {
  return chart(() => zooms)(event);
}

test("the wheel zooms, in pixels and in lines, and the page stays", () => {
  assert.deepEqual(turn({ deltaY: -100 }), { done: [["zoom", 0.803]], scrolls: false });
  assert.deepEqual(turn({ deltaY: 3, deltaMode: 1 }), { done: [["zoom", 1.172]], scrolls: false });
});

test("the page scrolls where there is nothing to zoom, but with Ctrl it would be scaled", () => {
  assert.ok(turn({ deltaY: 100 }, false).scrolls);
  assert.equal(turn({ deltaY: 100, ctrlKey: true }, false).scrolls, false);
});

test("sideways, or with Shift, it moves along", () => {
  assert.deepEqual(turn({ deltaX: 30, deltaY: 2 }), { done: [["pan", 30]], scrolls: false });
  assert.deepEqual(turn({ deltaY: 2, deltaMode: 1, shiftKey: true }), { done: [["pan", 48]], scrolls: false });
});

test("a turn that zooms further out than there is does not scroll the page, and the next one does", () => {
  let zooms = true;
  const turned = chart(() => zooms);
  assert.equal(turned({ deltaY: 100, timeStamp: 1000 }).scrolls, false);
  zooms = false;
  assert.equal(turned({ deltaY: 100, timeStamp: 1300 }).scrolls, false);
  assert.equal(turned({ deltaY: 100, timeStamp: 1700 }).scrolls, false);
  assert.equal(turned({ deltaY: 100, timeStamp: 2300 }).scrolls, true);
});
