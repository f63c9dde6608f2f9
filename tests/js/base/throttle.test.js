import assert from "node:assert/strict";
import { test } from "node:test";

import { throttled } from "../../../static/base/throttle.js";

/** A clock that the test turns. */
function fakeClock() {
  let now = 0;
  /** @type {{at: number, call: () => void}[]} */
  const waiting = [];
  return {
    now: () => now,
    later: (/** @type {() => void} */ call, /** @type {number} */ delay) =>
      waiting.push({ at: now + delay, call }),
    work: (/** @type {number} */ ms) => {
      now += ms;
    },
    turn: (/** @type {number} */ to) => {
      for (const due of waiting.splice(0).sort((a, b) => a.at - b.at)) {
        if (due.at > to) waiting.push(due);
        else {
          now = Math.max(now, due.at);
          due.call();
        }
      }
      now = Math.max(now, to);
    },
  };
}

test("asking often draws four times a second, and the last asking is drawn", () => {
  const clock = fakeClock();
  let drawn = 0;
  const redraw = throttled(() => (drawn += 1), { interval: 250, now: clock.now, later: clock.later });
  for (let ms = 0; ms <= 1000; ms += 10) {
    clock.turn(ms);
    redraw();
  }
  clock.turn(2000);
  assert.equal(drawn, 6);
});

test("a slow drawing is followed by a longer rest", () => {
  const clock = fakeClock();
  /** @type {number[]} */
  const drawn = [];
  const draw = () => {
    drawn.push(clock.now());
    clock.work(200);
  };
  const redraw = throttled(draw, { interval: 250, now: clock.now, later: clock.later });
  redraw();
  clock.turn(0);
  redraw();
  clock.turn(5000);
  assert.deepEqual(drawn, [0, 800]);
});
