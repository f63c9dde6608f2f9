import assert from "node:assert/strict";
import { test } from "node:test";

import { rooted } from "../../../static/base/root.js";

test("a path is below the one that the page says, and as it is where there is no page", () => {
  assert.equal(rooted("/api/runs"), "/api/runs");
  Object.assign(globalThis, { document: { documentElement: { dataset: { root: "/gradgate" } } } });
  assert.equal(rooted("/api/runs"), "/gradgate/api/runs");
  assert.equal(rooted(""), "/gradgate");
  Reflect.deleteProperty(globalThis, "document");
});
