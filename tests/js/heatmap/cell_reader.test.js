/** What the server says of a cell. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CellReader } from "../../../static/heatmap/cell_reader.js";

test("a cell is asked for once, when the pointer rests on it", async () => {
  /** @type {string[]} */
  const asked = [];
  const emitter = new EventTarget();
  const got = new Promise((resolve) => emitter.addEventListener("got", resolve));
  const reader = new CellReader("/api", () => emitter.dispatchEvent(new Event("got")), (path) => (asked.push(path), Promise.resolve({ samples: 3 })), 1);
  assert.equal(reader.answer("series?from=0"), null);
  assert.equal(reader.answer("series?from=10"), null);
  assert.equal(reader.answer("series?from=10"), null);
  await got;
  assert.deepEqual(asked, ["/api/series?from=10"]);
  assert.deepEqual(reader.answer("series?from=10"), { samples: 3 });
});
