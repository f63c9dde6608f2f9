import assert from "node:assert/strict";
import { test } from "node:test";

import { hasEnded, isPending, reached, tookEffect } from "../../../static/model/command_states.js";

/** @typedef {import("../../../static/wire.js").CommandState} CommandState */

/**
 * @param {CommandState} state
 * @param {...CommandState} told states whose reports came
 */
function command(state, ...told) {
  return { state, times: Object.fromEntries(told.map((each, i) => [each, i])) };
}

/** @type {readonly CommandState[]} */
const ALL = ["requested", "delivered", "applied", "verified", "drifted", "rejected", "superseded"];

test("a command is pending until the job has spoken", () => {
  assert.deepEqual(ALL.filter((state) => isPending(command(state))), ["requested", "delivered"]);
});

test("what drifted, was rejected or was superseded goes no further", () => {
  assert.deepEqual(ALL.filter((state) => hasEnded(command(state))), ["drifted", "rejected", "superseded"]);
});

test("what was applied took effect, also where it was superseded later", () => {
  assert.deepEqual(ALL.filter((state) => tookEffect(command(state))), ["applied", "verified", "drifted"]);
  assert.equal(tookEffect(command("superseded", "requested", "applied")), true);
});

test("a command has come as far as its state, or as far as was told when it ended", () => {
  assert.deepEqual(["requested", "delivered", "applied", "verified"].map((state) => reached(command(/** @type {CommandState} */ (state)))), [0, 1, 2, 3]);
  assert.equal(reached(command("rejected", "requested", "delivered")), 1);
  assert.equal(reached(command("superseded", "requested")), 0);
});

test("only what was applied can drift, whether or not that report came", () => {
  assert.equal(reached(command("drifted", "requested")), 2);
  assert.equal(reached(command("drifted", "requested", "applied", "verified")), 3);
});
