import assert from "node:assert/strict";
import { test } from "node:test";

import { changed, consequence, firstDraft, freezeQuestion, headline, isBarred, knownOf, optionsOf } from "../../../static/commands/freeze_question.js";
import { buildTree } from "../../../static/model/module_tree.js";
import { frozenBy, parameterRow, previewOf } from "../support/rows.js";

/**
 * The question about a node.
 * @param {string} id
 * @param {...import("../../../static/model/records.js").ParameterRow} rows
 */
function about(id, ...rows) {
  const node = buildTree(rows).nodes.get(id);
  assert.ok(node);
  return freezeQuestion(node, rows);
}

const open = (/** @type {string} */ name, changes = {}) => parameterRow(name, changes);
const frozen = (/** @type {string} */ name, how = {}) => parameterRow(name, { frozen: frozenBy(how) });

test("the question says what it touches before the job has answered", () => {
  const question = about("m:encoder", frozen("encoder.w"), open("encoder.b", { numel: 16 }), open("head.w"));
  const draft = firstDraft(question);
  const known = knownOf(question, draft);
  assert.equal(headline(question, draft, known), "Freeze encoder.*: 2 parameters, 24 numbers");
  assert.equal(known.already, 1);
  assert.equal(known.share, 24 / 32);
  assert.deepEqual([known.trainable_after, known.trainable_numel_after], [1, 8]);
  assert.deepEqual([known.gradient_bytes, known.state_bytes], [null, null]);
});

test("the job's own numbers take the place of the page's", () => {
  const question = about("m:encoder", open("encoder.w"));
  const preview = previewOf({ count: 3, numel: 4800 });
  assert.equal(headline(question, firstDraft(question), preview), "Freeze encoder.*: 3 parameters, 4,800 numbers");
});

test("what can be asked for depends on what is frozen", () => {
  assert.deepEqual(about("m:a", open("a.w")).kinds, ["freeze"]);
  assert.deepEqual(about("m:a", open("a.w"), frozen("a.b")).kinds, ["freeze", "thaw"]);
  assert.deepEqual(about("m:a", frozen("a.w")).kinds, ["thaw", "freeze"]);
  assert.deepEqual(about("p:a.w", frozen("a.w")).kinds, ["thaw"]);
});

test("a module that is frozen in one way is offered that way", () => {
  const how = { mode: "no_grad", hold_stats: true };
  const same = about("m:a", frozen("a.w", how), frozen("a.b", how));
  const { mode, hold_stats } = firstDraft(same, "freeze");
  assert.deepEqual([mode, hold_stats], ["no_grad", true]);
  assert.equal(firstDraft(about("m:a", frozen("a.w", how), frozen("a.b")), "freeze").mode, "grad");
  assert.equal(firstDraft(about("p:a.w", frozen("a.w", how)), "thaw").mode, "grad");
});

test("an option of the other kind never stays behind", () => {
  const question = about("m:a", open("a.w"), frozen("a.b"));
  const freeze = changed(question, firstDraft(question), "mode", "no_grad");
  assert.equal(freeze.mode, "no_grad");
  const thaw = changed(question, { ...freeze, hold_stats: true }, "kind", "thaw");
  assert.deepEqual([thaw.kind, thaw.mode, thaw.hold_stats], ["thaw", "grad", false]);
  const again = changed(question, { ...thaw, reset_state: true }, "kind", "freeze");
  assert.equal(again.reset_state, false);
});

test("only options that mean something are offered", () => {
  const module = about("m:a", open("a.w"));
  const draft = firstDraft(module);
  const offered = { kind: false, mode: true, hold_stats: false, reset_state: false, limit: true };
  assert.deepEqual(optionsOf(module, draft, null), offered);
  assert.deepEqual(optionsOf(module, draft, previewOf({ running_stats: ["a.norm"] })), { ...offered, hold_stats: true });
  assert.equal(optionsOf(module, { ...draft, hold_stats: true }, previewOf()).hold_stats, true);
  const thaw = about("p:a.w", frozen("a.w"));
  const expected = { kind: false, mode: false, hold_stats: false, reset_state: true, limit: false };
  assert.deepEqual(optionsOf(thaw, firstDraft(thaw), previewOf({ running_stats: ["a.norm"] })), expected);
});

test("a thaw says what becomes of the optimizer's state", () => {
  const draft = firstDraft(about("p:w", frozen("w")));
  assert.match(consequence(draft), /state was kept/);
  assert.match(consequence({ ...draft, reset_state: true }), /begins anew/);
});

test("a parameter that was removed is not asked about", () => {
  const gone = open("a.w (replaced at step 4)", { module: "a", removed: true });
  const question = about("m:a", gone, open("a.w"), open("b"));
  assert.deepEqual(question.rows.map(({ name }) => name), ["a.w"]);
  assert.equal(knownOf(question, firstDraft(question)).share, 0.5);
});

test("the whole model is named in words", () => {
  const question = about("m:", open("a.w"));
  assert.equal(headline(question, firstDraft(question), previewOf()), "Freeze the whole model: 2 parameters, 16 numbers");
  assert.equal(question.target, "*");
});

test("what would cut a trainable parameter off is sure to be rejected", () => {
  const noGrad = /** @type {const} */ ({ mode: "no_grad" });
  assert.equal(isBarred(previewOf({ ...noGrad, cut_off: ["stem.w"] })), true);
  assert.equal(isBarred(previewOf({ ...noGrad, cut_off: [] })), false);
  assert.equal(isBarred(previewOf({ ...noGrad, cut_off: null })), false);
  assert.equal(isBarred(previewOf({ cut_off: ["stem.w"] })), false);
});

test("a parameter is not asked how to freeze it", () => {
  const question = about("p:a.w", open("a.w"));
  assert.equal(optionsOf(question, firstDraft(question), null).mode, false);
  const module = about("m:a", open("a.w"));
  assert.equal(optionsOf(module, firstDraft(module), null).mode, true);
});

test("a thaw has done already what is not frozen", () => {
  const question = about("m:a", frozen("a.w"), frozen("a.b"), open("a.c"));
  assert.equal(knownOf(question, firstDraft(question, "thaw")).already, 1);
});
