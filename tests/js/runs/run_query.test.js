import assert from "node:assert/strict";
import { test } from "node:test";

import { readRunQuery, runFinder, runQueryLink } from "../../../static/runs/run_query.js";
import { run } from "../support/made_run.js";

const ALL = Object.freeze({ text: "", archived: false, tags: [], sort: "" });

test("a query survives its URL", () => {
  const query = { text: "digits *.0", archived: true, tags: ["good", "lr=0.1 & more"], sort: "-step" };
  assert.deepEqual(readRunQuery(runQueryLink(query).slice(1)), query);
  assert.deepEqual(readRunQuery("?tag=a&tag=a&sort=beauty"), { ...ALL, tags: ["a"] });
  assert.equal(runQueryLink({ ...ALL, text: " " }), "/");
});

test("each word has to be found, in a name, an identifier, a tag, the notes, the host or the status", () => {
  const found = (/** @type {string} */ text) =>
    runFinder({ text, tags: [] })(run({ name: "GPT small", id: "ab12", tags: ["good"], notes: "warm-up twice", host: "node7", status: "lost" }));
  for (const text of ["", "gpt", "small ab1", "goo", "TWICE", "node7 lost", "GPT*", "ab??"]) assert.ok(found(text), text);
  for (const text of ["large", "gpt large", "PT*", "ab?"]) assert.ok(!found(text), text);
});

test("a run has to have all of the tags", () => {
  const found = (/** @type {string[]} */ ...tags) => runFinder({ text: "", tags })(run({ tags: ["a", "b"] }));
  assert.deepEqual([found("b", "a"), found("a", "c"), found()], [true, false, true]);
});
