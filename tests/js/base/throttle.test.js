import assert from "node:assert/strict";
import { test } from "node:test";

import { Memo } from "../../../static/base/memo.js";
import { throttled } from "../../../static/base/throttle.js";
import { backoff } from "../../../static/link/backoff.js";
import { countStates, stateCode, stateOf, STATES } from "../../../static/model/states.js";
import { rowsInSight, scrollToRow } from "../../../static/tree/row_window.js";

test("states have the protocol's codes", () => {
  assert.deepEqual(
    STATES.map(({ name }) => name),
    ["unmeasured", "present", "zero", "nonfinite", "absent", "stale", "frozen", "gated"],
  );
  assert.equal(stateCode("stale"), 5);
  assert.throws(() => stateCode(/** @type {any} */ ("odd")), /unknown state: odd/);
});

test("every state has a mark of its own in the tree and in the chart", () => {
  const glyphs = new Set(STATES.map(({ path, filled }) => `${path}${filled}`));
  assert.equal(glyphs.size, STATES.length);
  assert.equal(new Set(STATES.map(({ symbol }) => symbol)).size, STATES.length);
});

test("a code from a newer protocol counts as unmeasured", () => {
  assert.equal(stateOf(99).name, "unmeasured");
  assert.equal(countStates(Uint8Array.from([99, 1, 1])).get("unmeasured"), 1);
});

test("reconnection waits longer each time, with an end and some spread", () => {
  assert.deepEqual([0, 1, 2, 3, 4, 5, 50].map((attempt) => backoff(attempt, 0.5)), [
    250, 500, 1000, 2000, 4000, 5000, 5000,
  ]);
  assert.ok(backoff(3, 0) < backoff(3, 1));
});

test("only the rows in sight are drawn, whatever their number", () => {
  const list = { height: 240, rowHeight: 24, count: 10_000, spare: 2 };
  assert.deepEqual(rowsInSight({ ...list, scrollTop: 0 }), { first: 0, end: 12 });
  assert.deepEqual(rowsInSight({ ...list, scrollTop: 24_000 }), { first: 998, end: 1012 });
  assert.deepEqual(rowsInSight({ ...list, scrollTop: 239_760 }), { first: 9988, end: 10_000 });
  assert.deepEqual(rowsInSight({ ...list, scrollTop: 500, count: 0 }), { first: 0, end: 0 });
});

test("a row is brought into sight with the least movement", () => {
  const list = { height: 240, rowHeight: 24, scrollTop: 100 };
  assert.equal(scrollToRow({ ...list, row: 8 }), 100);
  assert.equal(scrollToRow({ ...list, row: 2 }), 48);
  assert.equal(scrollToRow({ ...list, row: 20 }), 264);
});

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

test("what is made from the same things is not made again", () => {
  const memory = new Memo();
  const list = [1];
  assert.equal(memory.differs(list, NaN), true);
  assert.equal(memory.differs(list, NaN), false);
  assert.equal(memory.differs([1], NaN), true);
  assert.equal(memory.differs([1]), true);
});
