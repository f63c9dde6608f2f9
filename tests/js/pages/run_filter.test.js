import assert from "node:assert/strict";
import { test } from "node:test";

import { isListed, readRunFilter, runFilterLink } from "../../../static/pages/run_filter.js";

test("a filter survives its URL", () => {
  const filter = { archived: true, tags: ["good", "lr=0.1 & more"] };
  assert.deepEqual(readRunFilter(runFilterLink(filter).slice(1)), filter);
  assert.deepEqual(readRunFilter("?tag=a&tag=a"), { archived: false, tags: ["a"] });
  assert.equal(runFilterLink({ archived: false, tags: [] }), "/");
});

test("archived runs are listed when asked, and runs that miss a tag never", () => {
  const run = { archived: true, tags: ["a", "b"] };
  assert.equal(isListed(run, { archived: false, tags: [] }), false);
  assert.equal(isListed(run, { archived: true, tags: [] }), true);
  assert.equal(isListed(run, { archived: true, tags: ["b", "a"] }), true);
  assert.equal(isListed(run, { archived: true, tags: ["a", "c"] }), false);
  assert.equal(isListed({ archived: false, tags: [] }, { archived: false, tags: [] }), true);
});
