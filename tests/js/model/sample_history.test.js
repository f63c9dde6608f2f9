import assert from "node:assert/strict";
import { test } from "node:test";

import { SampleHistory } from "../../../static/model/sample_history.js";

test("a column is oldest first and forgets beyond its capacity", () => {
  const history = new SampleHistory(2, 3);
  for (let step = 1; step <= 5; step += 1) history.push({ step, norms: [step, -step], states: [1, 4] });
  assert.deepEqual(history.column(0).map(({ norm }) => norm), [3, 4, 5]);
  assert.deepEqual(history.column(1)[2], { norm: -5, low: -5, high: -5, state: 4 });
});

test("a short sample leaves the rest unmeasured", () => {
  const history = new SampleHistory(2, 3);
  history.push({ step: 1, norms: [1], states: [1] });
  assert.deepEqual(history.column(1), [{ norm: NaN, low: NaN, high: NaN, state: 0 }]);
});

test("a new history is empty", () => {
  assert.deepEqual(new SampleHistory(2, 3).column(1), []);
});

test("a step that is known is not entered twice", () => {
  const history = new SampleHistory(1, 3);
  history.push({ step: 4, norms: [1], states: [1] });
  history.push({ step: 4, norms: [2], states: [1] });
  assert.equal(history.length, 1);
});

test("newer entries of another history follow its own", () => {
  const older = new SampleHistory(1, 5);
  const newer = new SampleHistory(1, 2);
  for (const step of [1, 2, 3]) older.push({ step, norms: [step], states: [1] });
  for (const step of [2, 3, 4]) newer.push({ step, norms: [step], lows: [0.5], highs: [9], states: [1] });
  older.pushNewer(newer);
  assert.deepEqual(older.column(0).map(({ norm, high }) => [norm, high]), [
    [1, 1],
    [2, 2],
    [3, 3],
    [4, 9],
  ]);
});

test("the range of each parameter is that of the entries that are kept, of norms that a log scale can show", () => {
  const history = new SampleHistory(2, 3);
  assert.deepEqual([...history.ranges().lows], [NaN, NaN]);
  history.push({ step: 1, norms: [1000, 1], states: [1, 1] });
  for (const step of [2, 3, 4]) history.push({ step, norms: [step, NaN], lows: [0, NaN], highs: [10 * step, NaN], states: [1, 4] });
  assert.deepEqual([...history.ranges().lows], [NaN, NaN]);
  history.push({ step: 5, norms: [5, 0.25], states: [1, 1] });
  const { lows, highs } = history.ranges();
  assert.deepEqual([[...lows], [...highs]], [[5, 0.25], [40, 0.25]]);
  assert.deepEqual([history.firstStep, history.lastStep], [3, 5]);
});
