import assert from "node:assert/strict";
import { test } from "node:test";

import { fieldsOf, limitOf, missingIn } from "../../../static/commands/limit_field.js";

test("a limit is shown as the field has it, and read as it was shown", () => {
  for (const limit of [
    null,
    { steps: 500, seconds: null, while_watched: false },
    { steps: null, seconds: 600, while_watched: false },
    { steps: null, seconds: null, while_watched: true },
  ]) {
    const { lasting, amount } = fieldsOf(limit);
    assert.deepEqual(limitOf(lasting, amount), limit);
  }
});

test("what is no number of steps or minutes is asked for", () => {
  for (const amount of ["", "0", "-1", "1.5", "x"]) assert.match(missingIn("steps", amount) ?? "", /how many steps/);
  for (const amount of ["", "0", "-1", "x"]) assert.match(missingIn("minutes", amount) ?? "", /how many minutes/);
  assert.equal(missingIn("steps", "3"), null);
  assert.equal(missingIn("minutes", "0.5"), null);
  assert.equal(missingIn("", ""), null);
  assert.equal(missingIn("watched", ""), null);
});
