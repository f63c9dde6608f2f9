import assert from "node:assert/strict";
import { test } from "node:test";

import { adviceHeading, askedWords, closedGateWords, standing, toldHeading, traceWords } from "../../../static/explain/explanation_words.js";
import { UNTRACED } from "../../../static/model/verdicts.js";
import { explainCommand, explanation, gateRow, traced } from "../support/rows.js";

test("a parameter without an explanation is told of honestly", () => {
  const plain = /** @type {const} */ ({ state: "present", removed: false, explanation: null, holds: false, known: true, told: [], gates: [] });
  const tone = (/** @type {object} */ changes, answer = traced([])) => standing({ ...plain, ...changes }, answer)?.tone;
  assert.equal(standing(plain, traced([]))?.text, "Nothing was wrong with it as of step 412.");
  assert.equal(tone({ state: "unmeasured" }), "calm");
  assert.match(standing(plain, UNTRACED)?.text ?? "", /^Not looked at yet/);
  assert.match(standing({ ...plain, state: "absent" }, traced([]))?.text ?? "", /had a useful gradient at step 412.*Now it is absent/);
  assert.match(standing({ ...plain, state: "frozen" }, traced([]))?.text ?? "", /Now it is frozen: explain again/);
  assert.match(standing({ ...plain, state: "absent" }, traced([], { left_out: 3 }))?.text ?? "", /3 explanations of step 412 are not listed/);
  assert.equal(tone({ known: false }), "open");
  assert.equal(tone({ state: null, removed: true }), "open");
  const known = { explanation: explanation(0), state: "absent" };
  assert.equal(tone({ ...known, holds: true }), undefined);
  assert.equal(tone({ ...known, state: "present" }), "old");
});

test("of what an alert or a note is about nobody says that nothing is wrong with it", () => {
  /** @type {import("../../../static/wire.js").Alert} */
  const alert = { parameter: 0, name: "a.weight", since_step: 1200, cause: "not_moving", detail: null, where: null, level: "alert" };
  const subject = /** @type {const} */ ({ state: "present", removed: false, explanation: null, holds: false, known: true, told: [alert], gates: [] });
  assert.equal(standing(subject, UNTRACED), null);
  assert.deepEqual(standing(subject, traced([])), { tone: "open", text: "A useful gradient came to it at step 412, when the job looked last." });
  assert.equal(toldHeading(alert), "Alert: does not move, since step 1,200");
  assert.equal(toldHeading({ ...alert, level: "note", cause: null }), "Note: not explained yet, since step 1,200");
});

test("a closed gate is the answer, whether a step was traced or not", () => {
  const gate = gateRow(3, { closed: true, site: "output:a", when: "norm > 10", action: "block", by: "ada", command: 7 });
  const subject = /** @type {const} */ ({ state: "gated", removed: false, explanation: null, holds: false, known: true, told: [], gates: [{ gate, since: 1200 }] });
  assert.equal(standing(subject, UNTRACED), null);
  assert.equal(standing(subject, traced([])), null);
  assert.match(
    closedGateWords({ gate, since: 1200 }),
    /^is closed since step 1,200: block output:a when norm > 10.*\. Made or last changed by ada \(command 7\)\.$/,
  );
  assert.match(closedGateWords({ gate: { ...gate, command: null }, since: null }), /^is closed: .* by ada\.$/);
});

test("the trace says its step, its cost and who asked", () => {
  assert.equal(traceWords(traced([]), []), "Step 412, traced in 31.2 ms, 4.20 times a normal step. The job looked by itself.");
  const asked = traced([], { by: "command", command: 7, ratio: null });
  assert.equal(traceWords(asked, []), "Step 412, traced in 31.2 ms. Asked by command 7.");
  assert.match(traceWords(asked, [explainCommand(7, { by: "ada" })]), /Asked by ada \(command 7\)\.$/);
  assert.match(traceWords(traced([]), [explainCommand(7, { by: "python", step: 412 })]), /Asked by python/);
  assert.match(traceWords(traced([], { seconds: null }), []), /^Step 412, 4\.20 times/);
  assert.equal(traceWords(UNTRACED, []), "");
});

test("a question is pending until it is answered, and its rejection stays until an answer", () => {
  const rejected = explainCommand(2, { state: "rejected", reason: "no such name", times: { requested: 11, rejected: 12 } });
  assert.deepEqual(askedWords([], UNTRACED), { pending: false, text: "" });
  assert.equal(askedWords([explainCommand(1, { state: "delivered" })], UNTRACED).pending, true);
  assert.deepEqual(askedWords([explainCommand(1, { state: "applied" })], UNTRACED), { pending: false, text: "" });
  assert.deepEqual(askedWords([rejected], traced([])), { pending: false, text: "rejected: no such name" });
  assert.deepEqual(askedWords([rejected], traced([], { time: 13 })), { pending: false, text: "" });
});

test("what somebody wanted is not told to be mended", () => {
  assert.equal(adviceHeading("frozen_by_command"), "To train it");
  assert.equal(adviceHeading("detached"), "What to do");
});
