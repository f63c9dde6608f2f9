import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { causeOf, fits, rowWords } from "../../../static/model/causes.js";

test("every cause of the protocol has words of its own", () => {
  const text = readFileSync(new URL("../../../docs/protocol.md", import.meta.url), "utf8");
  const names = [...(text.split("Its `cause` is one of")[1].split("\n\n")[0]).matchAll(/`(\w+)`/g)].map((m) => m[1]);
  assert.equal(names.length, 24);
  const unknown = causeOf("made_up").meaning;
  for (const name of names) assert.notEqual(causeOf(name).meaning, unknown, name);
  assert.equal(causeOf("made_up").label, "made up");
});

test("a row says the state and the cause, and nothing twice", () => {
  assert.deepEqual(rowWords("absent", "detached"), { state: "absent", cause: "detached" });
  assert.deepEqual(rowWords("frozen", "frozen_by_script"), { state: "frozen", cause: "by script" });
  assert.deepEqual(rowWords("gated", "gated"), { state: "gated", cause: null });
  assert.deepEqual(rowWords("zero", "zero_gradient"), { state: "zero", cause: null });
  assert.deepEqual(rowWords("absent", "zero_gradient"), { state: "absent", cause: "zero" });
  assert.deepEqual(rowWords("present", "not_in_optimizer"), { state: null, cause: "not applied" });
  assert.deepEqual(rowWords("stale", null), { state: "stale", cause: null });
});

test("a cause holds only in a state that it can bring about", () => {
  assert.equal(fits("detached", "absent"), true);
  assert.equal(fits("detached", "present"), false);
  assert.equal(fits("detached", "frozen"), false);
  assert.equal(fits("not_in_optimizer", "present"), true);
  assert.equal(fits("frozen_by_command", "absent"), false);
  assert.equal(fits("gated", "unmeasured"), true);
});

test("a freeze and a gate are wanted, and everything else is not", () => {
  const names = ["frozen_by_script", "frozen_by_command", "gated", "detached", "not_in_optimizer", "unknown", "of_a_newer_protocol"];
  assert.deepEqual(names.filter((name) => causeOf(name).wanted), ["frozen_by_script", "frozen_by_command", "gated"]);
});
