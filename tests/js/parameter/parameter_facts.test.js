import assert from "node:assert/strict";
import { test } from "node:test";

import { parameterFacts } from "../../../static/parameter/parameter_facts.js";
import { frozenBy, gateRow, parameterRow } from "../support/rows.js";

test("a fact a line: what it is, its other names, its freeze, its gates", () => {
  const row = parameterRow("a.weight");
  assert.equal(parameterFacts(row, []).length, 1);
  const frozen = frozenBy({ by: "browser", mode: "no_grad", since_step: 1200, command: 4 });
  const facts = parameterFacts({ ...row, names: ["a.weight", "tied\u202e"], in_optimizer: false, frozen }, [
    gateRow(3, { site: "param:a.weight" }),
    gateRow(4, { site: "param:b.weight", parameters: [] }),
  ]);
  assert.deepEqual(facts.slice(1, 4), [
    "Also known as tied⟨U+202E⟩: the same tensor",
    "No optimizer has it",
    "Frozen by browser since step 1,200 (command 4), without a graph (no_grad)",
  ]);
  assert.match(facts[4], /^Gate 3 is/);
  assert.equal(facts.length, 5);
});
