import assert from "node:assert/strict";
import { test } from "node:test";

import { readRunQuery, runFinder, runQueryLink } from "../../../static/runs/run_query.js";
import { run } from "../support/made_run.js";

const ALL = Object.freeze({ text: "", archived: false, tags: [], group: null, opened: [], sort: "" });

test("a query survives its URL", () => {
  const query = { text: "digits *.0", archived: true, tags: ["good", "lr=0.1 & more"], group: "a/b", opened: ["digits", "x y"], sort: "-step" };
  assert.deepEqual(readRunQuery(runQueryLink(query).slice(1)), query);
  assert.deepEqual(readRunQuery("?tag=a&tag=a&sort=beauty"), { ...ALL, tags: ["a"] });
  assert.equal(runQueryLink({ ...ALL, text: " " }), "/");
});

test("each word has to be found, in a name, a group, an identifier, a tag, the notes, the host or the status", () => {
  const found = (/** @type {string} */ text) =>
    runFinder({ text, tags: [], group: null })(run({ name: "GPT small", number: 3, group: "sweep", id: "ab12", tags: ["good"], notes: "warm-up twice", host: "node7", status: "lost" }));
  for (const text of ["", "gpt", "small ab1", "goo", "TWICE", "node7 lost", "GPT*", "ab??", "weep", "small#3"]) assert.ok(found(text), text);
  for (const text of ["large", "gpt large", "PT*", "ab?"]) assert.ok(!found(text), text);
});

test("a run has to be of the group, and to have all of the tags", () => {
  const of = (/** @type {string | null} */ group) => runFinder({ text: "", tags: [], group });
  assert.deepEqual([of("sweep")(run({ group: "sweep" })), of("sweep")(run({ name: "sweep" })), of(null)(run())], [true, false, true]);
  const found = (/** @type {string[]} */ ...tags) => runFinder({ text: "", tags, group: null })(run({ tags: ["a", "b"] }));
  assert.deepEqual([found("b", "a"), found("a", "c"), found()], [true, false, true]);
});
