import assert from "node:assert/strict";
import { test } from "node:test";
import { waitingWords } from "../../../static/pages/waiting.js";

test("a panel says what it waits for, and whether the server is there", () => {
  const said = [
    { connected: false, lostFor: null },
    { connected: true, lostFor: null },
    { connected: false, lostFor: 3 },
  ].map((live) => waitingWords("the parameters", live));
  assert.deepEqual(said, [
    "Connecting to the server …",
    "Reading the parameters …",
    "No connection to the server: it is tried again and again.",
  ]);
});
