import assert from "node:assert/strict";
import { test } from "node:test";

import { foldedRuns, unfoldedRuns } from "../../../static/runs/run_families.js";
import { run } from "../support/made_run.js";

/** @typedef {Partial<import("../../../static/wire.js").RunRow>} Given */

/** @param {Given[]} given newest first */
const made = (...given) => given.map((each, place) => run({ id: "abcdef"[place], ...each }));
/** @param {ReturnType<typeof foldedRuns>} listed */
const text = (listed) => listed.map(({ run: { id }, folded, fold }) => `${folded ? "." : ""}${id}${fold === null ? "" : ` [${fold.words}]`}`).join(" ");

test("of reruns the latest is listed, and the others open under it, each family in one place", () => {
  const runs = made({ name: "digits", number: 3 }, { name: "gan" }, { name: "digits", number: 2 }, { name: "digits", open_alerts: 2 });
  assert.equal(text(foldedRuns(runs, "", new Set())), "a [2 earlier runs, 2 open alerts] b");
  assert.equal(text(foldedRuns(runs, "", new Set(["digits"]))), "a [2 earlier runs, 2 open alerts] .c .d b");
  assert.equal(text(unfoldedRuns(runs, "")), "a b c d");
});

test("what is live is never folded", () => {
  const runs = made({ status: "lost" }, { status: "live" }, { status: "finished" }, { status: "live" });
  assert.equal(text(foldedRuns(runs, "", new Set())), "b d [2 earlier runs]");
  assert.equal(text(foldedRuns(made({ status: "live" }, { status: "live" }), "", new Set())), "a b");
});

test("the runs of a group are a family, whatever their names", () => {
  const runs = made({ group: "search", name: "lr 1" }, { name: "lr 1" }, { group: "search", name: "lr 2" });
  assert.equal(text(foldedRuns(runs, "", new Set())), "a [1 more run in search] b");
});

test("families are sorted by what is listed of them, and their runs among themselves", () => {
  const runs = made({ name: "x", step: 2 }, { name: "y", step: 5 }, { name: "x", step: 9 }, { name: "x", step: 1 });
  assert.equal(text(foldedRuns(runs, "-step", new Set(["x"]))), "b a [2 earlier runs] .c .d");
  assert.equal(text(foldedRuns(runs, "step", new Set(["x"]))), "a [2 earlier runs] .d .c b");
});
