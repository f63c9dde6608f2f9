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
    spread_before: 0.0008,
    spread_after: 0.0004,
    measurable: true,
    ...changes,
  };
}

test("a freeze says how much shorter the backward is and what gradients are gone", () => {
  assert.equal(formatSaved(saved()), "backward −41 % (12.3 → 7.3 ms), −210 MB gradients");
  assert.equal(
    howMeasured(saved()),
    "Medians of 20 steps before and after; half of the steps lie within 800 before and 400 µs after",
  );
});

test("a thaw costs: its signs are plus", () => {
  const thaw = saved({ backward_before: 0.0073, backward_after: 0.0123, gradient_bytes: -210e6 });
  assert.equal(formatSaved(thaw), "backward +68 % (7.3 → 12.3 ms), +210 MB gradients");
});

test("a change within the noise of the steps is none", () => {
  const bias = saved({ backward_before: 0.0123, backward_after: 0.0066, gradient_bytes: 128, measurable: false });
  assert.equal(formatSaved(bias), "no measurable change in backward (12.3 → 6.6 ms), −128 B gradients");
});

test("figures of an older probe, which tells no spread, are read as ever", () => {
  const old = saved({ spread_before: null, spread_after: null, measurable: null });
  assert.equal(formatSaved(old), "backward −41 % (12.3 → 7.3 ms), −210 MB gradients");
  assert.equal(howMeasured(old), "Medians of 20 steps before and after; how far steps differ was not told");
});

test("a change below two per cent is noise", () => {
  assert.equal(
    formatSaved(saved({ backward_before: 0.1, backward_after: 0.0981, gradient_bytes: 0 })),
    "no measurable change in backward (100 → 98 ms)",
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
