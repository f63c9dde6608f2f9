import assert from "node:assert/strict";
import { test } from "node:test";

import { formatSaved, howMeasured } from "../../../static/commands/savings.js";

/** @param {Partial<import("../../../static/wire.js").Saved>} [changes] */
function saved(changes = {}) {
  return {
    backward_before: 0.0123,
    backward_after: 0.0073,
    steps: 20,
    gradient_bytes: 210e6,
    memory_before: null,
    memory_after: null,
    ...changes,
  };
}

test("a freeze says how much shorter the backward is and what gradients are gone", () => {
  assert.equal(formatSaved(saved()), "backward −41 % (12.3 → 7.3 ms), −210 MB gradients");
  assert.equal(howMeasured(saved()), "Medians of 20 steps before and after");
});

test("a thaw costs: its signs are plus", () => {
  const thaw = saved({ backward_before: 0.0073, backward_after: 0.0123, gradient_bytes: -210e6 });
  assert.equal(formatSaved(thaw), "backward +68 % (7.3 → 12.3 ms), +210 MB gradients");
});

test("a change below two per cent is noise", () => {
  assert.equal(
    formatSaved(saved({ backward_before: 0.1, backward_after: 0.0981, gradient_bytes: 0 })),
    "backward unchanged (100 → 98 ms)",
  );
  assert.match(formatSaved(saved({ backward_before: 0.1, backward_after: 0.103 })), /^backward \+3 % /);
  assert.match(formatSaved(saved({ backward_before: 0.1, backward_after: 0.097 })), /^backward −3 % /);
});

test("memory is told where it was measured, and left out where it was not", () => {
  const measured = saved({ memory_before: 2.5e9, memory_after: 1.3e9 });
  assert.match(formatSaved(measured), /, −1\.2 GB at the end of forward$/);
  assert.doesNotMatch(formatSaved(saved({ memory_after: 1.3e9 })), /forward/);
  assert.doesNotMatch(formatSaved(saved({ memory_before: 5, memory_after: 5 })), /forward/);
});

test("times are in the unit that suits the longer one", () => {
  const times = (/** @type {number} */ before, /** @type {number} */ after) =>
    formatSaved(saved({ backward_before: before, backward_after: after, gradient_bytes: 0 }));
  assert.equal(times(2, 1), "backward −50 % (2.00 → 1.00 s)");
  assert.equal(times(0.0004, 0.000004), "backward −99 % (400 → 4 µs)");
  assert.equal(times(0.00999, 0.005), "backward −50 % (9.99 → 5.00 ms)");
});

test("a backward that took no time before has no share", () => {
  assert.equal(
    formatSaved(saved({ backward_before: 0, backward_after: 0.001, gradient_bytes: 0 })),
    "backward (0.00 → 1.00 ms)",
  );
});
