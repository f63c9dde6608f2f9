import assert from "node:assert/strict";
import { test } from "node:test";

import { ALL_PANELS, watchOf } from "../../../static/pages/attention.js";
import { MESSAGE_TYPES } from "../../../static/pages/live_messages.js";

test("a page that is seen whole wants everything that it has a use for", () => {
  const { topics, statistics, interval, focus } = watchOf(ALL_PANELS, false, 0.25, [3], [7]);
  assert.deepEqual(topics, ["samples", ...MESSAGE_TYPES].sort());
  assert.deepEqual(statistics, ["update_ratio", "weight_norm"]);
  assert.equal(interval, 0.25);
  assert.deepEqual(focus, [3]);
});

test("a hidden page wants to hear of events alone, and looks at nothing", () => {
  assert.deepEqual(watchOf(ALL_PANELS, true, 0.25, [3], [7]), { type: "watch", topics: ["events"], statistics: ["update_ratio", "weight_norm"], interval: 0.25, focus: [], holds: [7] });
});

test("what the job streams is told while a panel that shows it is seen, and the rest always", () => {
  const seldom = MESSAGE_TYPES.filter((type) => type !== "metrics" && type !== "distributions");
  assert.deepEqual(watchOf([], false, 1, [], [7]).topics, [...seldom].sort());
  assert.deepEqual(watchOf([".flow.panel"], false, 1, [], [7]).topics, ["samples", ...seldom].sort());
  assert.deepEqual(watchOf(["#gate-editor"], false, 1, [], [7]).topics, ["metrics", ...seldom].sort());
  assert.deepEqual(watchOf(["#numbers"], false, 1, [3], [7]).topics, ["distributions", ...seldom].sort());
  assert.deepEqual(watchOf(["#numbers"], false, 1, [3], [7]).focus, [3]);
  assert.deepEqual(watchOf([".flow.panel"], false, 1, [3], [7]).focus, []);
  assert.deepEqual(watchOf([".lines.panel"], false, 1, [], [7]).topics, ["metrics", "samples", ...seldom].sort());
});
