import assert from "node:assert/strict";
import { test } from "node:test";

import { stateCode } from "../../../static/model/states.js";
import { alikeTo, Verdicts } from "../../../static/model/verdicts.js";
import { explanation, traced } from "../support/rows.js";

/** @param {...import("../../../static/model/states.js").StateName} names */
function states(...names) {
  return Uint8Array.from(names, stateCode);
}

test("a parameter that trains again is no trouble any more", () => {
  const verdicts = new Verdicts();
  verdicts.set(traced([explanation(0), explanation(1)]));
  verdicts.settle(states("absent", "absent"), 413);
  assert.deepEqual([...verdicts.causes], [[0, "detached"], [1, "detached"]]);
  verdicts.settle(states("absent", "present"), 420);
  assert.deepEqual([...verdicts.causes], [[0, "detached"]]);
});

test("a sample from before the trace says nothing against it", () => {
  const verdicts = new Verdicts();
  verdicts.set(traced([explanation(0)]));
  verdicts.settle(states("present"), 411);
  assert.deepEqual([...verdicts.causes], [[0, "detached"]]);
});

test("causes that hold are the same object as long as nothing changes", () => {
  const verdicts = new Verdicts();
  verdicts.set(traced([explanation(0)]));
  verdicts.settle(states("absent"), 413);
  const { causes } = verdicts;
  verdicts.settle(states("absent"), 414);
  assert.equal(verdicts.causes, causes);
});

test("troubles are counted by cause, and what somebody wanted is none", () => {
  const verdicts = new Verdicts();
  const made = [0, 1, 2].map((position) => explanation(position, { cause: "module_not_called" }));
  const plain = explanation(null, { name: "layers[0].weight", cause: "not_in_optimizer" });
  const calm = explanation(4, { cause: "frozen_by_script" });
  verdicts.set(traced([explanation(3), plain, calm, ...made]));
  verdicts.settle(states("absent", "absent", "absent", "absent", "frozen"), 500);
  assert.deepEqual(verdicts.groups(), [
    { cause: "module_not_called", count: 3, name: null },
    { cause: "detached", count: 1, name: null },
    { cause: "not_in_optimizer", count: 1, name: "layers[0].weight" },
  ]);
});

test("there is something to ask of troubles and of unwanted causes", () => {
  const verdicts = new Verdicts();
  const now = states("present", "absent", "present", "frozen");
  verdicts.set(traced([explanation(2, { cause: "not_in_optimizer" }), explanation(3, { cause: "frozen_by_script" })]));
  verdicts.settle(now, 500);
  assert.deepEqual([0, 1, 2, 3].map((position) => verdicts.asks(position, now)), [false, true, true, false]);
});

test("what the same line cut is named together", () => {
  const one = explanation(0);
  const all = [one, explanation(1), explanation(2, { where: "train.py:9" }), explanation(3, { cause: "no_grad" })];
  assert.deepEqual(alikeTo(all, one).map(({ parameter }) => parameter), [1]);
  const path = (/** @type {string} */ label) => [{ label, kind: /** @type {const} */ ("call"), flow: /** @type {const} */ ("stops"), where: null }];
  const placeless = explanation(4, { where: null, path: path("gate 1") });
  const others = [placeless, explanation(5, { where: null, path: path("gate 1") }), explanation(6, { where: null, path: path("gate 2") })];
  assert.deepEqual(alikeTo(others, placeless).map(({ parameter }) => parameter), [5]);
});

test("a sample of the traced step itself says nothing against it", () => {
  const verdicts = new Verdicts();
  verdicts.set(traced([explanation(0)]));
  const trains = Uint8Array.from([stateCode("present")]);
  verdicts.settle(trains, 412);
  assert.equal(verdicts.causes.get(0), "detached");
  verdicts.settle(trains, 413);
  assert.equal(verdicts.causes.size, 0);
});

test("what is in no optimizer is told without a trace, where it has no other cause", () => {
  const verdicts = new Verdicts();
  const now = states("unmeasured", "present", "absent", "frozen", "present");
  verdicts.settle(now, null, [0, 1, 2, 3]);
  assert.deepEqual([...verdicts.causes], [0, 1, 2].map((position) => [position, "not_in_optimizer"]));
  assert.deepEqual(verdicts.groups(), [{ cause: "not_in_optimizer", count: 3, name: null }]);
  verdicts.set(traced([explanation(2)]));
  verdicts.settle(now, 500, [0, 1, 2, 3]);
  assert.equal(verdicts.causes.get(2), "detached");
  verdicts.settle(now, 500, [1]);
  assert.equal(verdicts.causes.has(0), false);
});
