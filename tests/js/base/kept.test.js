import assert from "node:assert/strict";
import { test } from "node:test";

import { keptIn } from "../../../static/base/kept.js";

test("what the browser keeps is asked where it may be, and the page's own memory where it may not", () => {
  const storage = { getItem: () => "kept", setItem: () => undefined, removeItem: () => undefined };
  assert.equal(keptIn(() => storage), storage);
  const memory = keptIn(() => {
    throw new Error("Access is denied for this document.");
  });
  assert.equal(memory.getItem("a"), null);
  memory.setItem("a", "1");
  assert.equal(memory.getItem("a"), "1");
  memory.removeItem("a");
  assert.equal(memory.getItem("a"), null);
});
