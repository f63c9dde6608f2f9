import assert from "node:assert/strict";
import { test } from "node:test";

import { formatDuration } from "../../../static/base/format.js";
import { oppositeOf, undoable } from "../../../static/commands/undo.js";
import { codePieces, sourceLines } from "../../../static/explain/code_text.js";
import { askedWords, standing, traceWords } from "../../../static/explain/explanation_words.js";
import { pathRows, pathSentence, shortPlace } from "../../../static/explain/gradient_path.js";
import { effectMarks, pendingByParameter, stages, statement } from "../../../static/model/commands.js";
import { UNTRACED } from "../../../static/model/verdicts.js";
import { explainCommand, explanation, parameterRow, traced } from "../support/rows.js";

/** @typedef {import("../../../static/wire.js").Station} Station */

/**
 * @param {number} count
 * @param {Station["flow"]} flow
 * @returns {Station[]}
 */
function stations(count, flow) {
  return Array.from({ length: count }, (_, i) => ({ label: `${flow}.${i}`, kind: "module", flow, where: null }));
}

const WAY = Object.freeze([...stations(8, "flows"), ...stations(1, "stops"), ...stations(3, "none")]);

/** @param {readonly Station[]} path @param {number} room */
function drawn(path, room) {
  return pathRows(path, room).map((row) => (row.station === null ? row.folded : row.station.label));
}

test("a way is folded only when there is no room, and only where stations are alike", () => {
  assert.equal(drawn(WAY, 12).length, 12);
  assert.deepEqual(drawn(WAY, 11), ["flows.0", "flows.1", 4, "flows.6", "flows.7", "stops.0", "none.0", "none.1", "none.2"]);
  assert.deepEqual(drawn(stations(5, "none"), 1).length, 5);
});

test("the way is a sentence for those who do not see it", () => {
  assert.equal(
    pathSentence(WAY),
    "From the loss the gradient flows through 8 stations, stops at stops.0, and does not come to 3 stations behind.",
  );
  assert.equal(pathSentence(stations(1, "flows")), "From the loss the gradient flows through 1 station.");
});

test("a place is short without its folders", () => {
  assert.equal(shortPlace("/home/me/project/train.py:41"), "train.py:41");
  assert.equal(shortPlace("C:\\work\\train.py:41"), "train.py:41");
  assert.equal(shortPlace("train.py:41"), "train.py:41");
});

test("code in a sentence is between backticks, and a lone one is a backtick", () => {
  assert.deepEqual(codePieces("`a.weight` stops at `h.detach()`."), [
    { text: "a.weight", code: true },
    { text: " stops at ", code: false },
    { text: "h.detach()", code: true },
    { text: ".", code: false },
  ]);
  assert.deepEqual(codePieces("a ` b"), [{ text: "a ` b", code: false }]);
  assert.deepEqual(codePieces("a\u202eb"), [{ text: "a⟨U+202E⟩b", code: false }]);
});

test("source keeps its numbers and loses the indentation that all lines share", () => {
  const source = { file: "train.py", line: 41, first: 39, lines: ["", "\tif x:", "\t\ty = x.detach()\u202e", "", "    z", ""] };
  assert.deepEqual(sourceLines(source), [
    { number: 40, text: "if x:", meant: false },
    { number: 41, text: "    y = x.detach()⟨U+202E⟩", meant: true },
    { number: 42, text: "", meant: false },
    { number: 43, text: "z", meant: false },
  ]);
  assert.deepEqual(sourceLines({ ...source, first: 41, lines: [""] }), [{ number: 41, text: "", meant: true }]);
});

test("a parameter without an explanation is told of honestly", () => {
  const plain = /** @type {const} */ ({ state: "present", removed: false, explanation: null, holds: false, known: true });
  const tone = (/** @type {object} */ changes, answer = traced([])) => standing({ ...plain, ...changes }, answer)?.tone;
  assert.equal(standing(plain, traced([]))?.text, "Nothing was wrong with it as of step 412.");
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

test("the trace says its step, its cost and who asked", () => {
  assert.equal(traceWords(traced([]), []), "Step 412, traced in 31.2 ms, 4.20 times a normal step. The job looked by itself.");
  const asked = traced([], { by: "command", command: 7, ratio: null });
  assert.equal(traceWords(asked, []), "Step 412, traced in 31.2 ms. Asked by command 7.");
  assert.match(traceWords(asked, [explainCommand(7, { by: "ada" })]), /Asked by ada \(command 7\)\.$/);
  assert.match(traceWords(traced([]), [explainCommand(7, { by: "python", step: 412 })]), /Asked by python/);
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

test("a question ends with its answer, changes nothing and is not undone", () => {
  const done = explainCommand(3, { state: "applied", step: 9, times: { requested: 1, applied: 2 } });
  assert.deepEqual(stages(done).map(({ label, progress }) => `${label} ${progress}`), [
    "requested done",
    "delivered done",
    "answered at step 9 done",
  ]);
  assert.equal(statement(done), "explain encoder.weight answered at step 9");
  assert.deepEqual(effectMarks([done]), []);
  assert.equal(oppositeOf(done, [done], []), null);
  assert.equal(undoable([done], []).size, 0);
  assert.equal(pendingByParameter([explainCommand(4)], [parameterRow("encoder.weight")]).size, 0);
});

test("a time has the unit that suits it", () => {
  assert.equal(formatDuration(0.0312), "31.2 ms");
  assert.equal(formatDuration(1.25), "1.25 s");
  assert.equal(formatDuration(0.00085), "850 µs");
});
