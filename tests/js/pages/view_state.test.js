import assert from "node:assert/strict";
import { test } from "node:test";

import { ViewState } from "../../../static/pages/view_state.js";

test("a click selects a parameter alone, and a second click none", () => {
  const view = new ViewState("?selected=a&selected=b&tab=metrics");
  view.select("a", false);
  assert.deepEqual([view.selected, view.tab], [["a"], ""]);
  view.select("a", false);
  assert.deepEqual(view.selected, []);
});

test("adding keeps what is selected, and what is there already is taken away", () => {
  const view = new ViewState("?selected=a");
  view.select("b", true);
  assert.deepEqual(view.selected, ["a", "b"]);
  view.select("a", true);
  assert.deepEqual(view.selected, ["b"]);
});

test("of more than eight the latest stay", () => {
  const view = new ViewState("");
  for (const name of "abcdefghi") view.select(name, true);
  assert.deepEqual(view.selected.join(""), "bcdefghi");
});

test("what the model has no longer is dropped, and only that", () => {
  const view = new ViewState("?selected=a&selected=b");
  assert.equal(view.keepKnown(["a", "b", "c"]), false);
  assert.equal(view.keepKnown(["b"]), true);
  assert.deepEqual(view.selected, ["b"]);
});

test("a metric is shown beside the others, and taken away again", () => {
  const view = new ViewState("");
  view.toggleMetric("accuracy", ["loss"]);
  assert.deepEqual(view.metrics, ["loss", "accuracy"]);
  view.toggleMetric("loss", view.metrics);
  assert.deepEqual(view.metrics, ["accuracy"]);
});

test("a list that is not there is the commands'", () => {
  const view = new ViewState("?log=gates");
  assert.equal(view.log, "gates");
  view.chooseLog("weather");
  assert.equal(view.log, "commands");
  view.chooseLog("gates");
  assert.equal(view.log, "gates");
});

test("a module is opened or closed, the last of both; a depth for all forgets them", () => {
  const view = new ViewState("?opened=head");
  for (const path of ["encoder", "head"]) view.collapse(path, true);
  view.collapse("encoder", false);
  assert.deepEqual([[...view.collapsed], [...view.opened]], [["head"], ["encoder"]]);
  view.openTo(1);
  assert.deepEqual([view.depth, view.collapsed.size, view.opened.size], [1, 0, 0]);
});

test("a statistic that there is not leaves the first one shown", () => {
  const view = new ViewState("?stat=weight_norm");
  assert.equal(view.stat, "weight_norm");
  view.chooseStatistic("grad_min");
  assert.equal(view.stat, "grad_norm");
});
