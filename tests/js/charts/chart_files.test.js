/** Names of saved files. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileName } from "../../../static/charts/chart_files.js";

test("a file's name holds nothing that a file system or a shell reads, and is not endless", () => {
  assert.equal(fileName(["../my run: <b>", "metrics", "1-20"]), "..-my-run-b--metrics-1-20");
  assert.ok(fileName(["x".repeat(512), "metrics"]).length < 100);
});
