/**
 * The question before a freeze or thaw: what may be asked for, and what the page itself knows of it
 * before the job has answered.
 *
 * @typedef {import("../model/module_tree.js").TreeNode} TreeNode
 * @typedef {import("../model/records.js").ParameterRow} ParameterRow
 * @typedef {import("../model/records.js").FreezeKind} FreezeKind
 * @typedef {import("../model/records.js").FreezeDraft} FreezeDraft
 * @typedef {import("../wire.js").Preview} Preview
 * @typedef {import("./freeze_preview.js").Touched} Touched
 *
 * @typedef {object} Question
 * @property {string} what is asked about, such as `encoder.*`
 * @property {string} target
 * @property {boolean} module may it run without a graph?
 * @property {readonly FreezeKind[]} kinds that make sense here, the likely one first
 * @property {readonly ParameterRow[]} rows of the parameters in question
 * @property {readonly ParameterRow[]} others of the model
 */
import { plural } from "../base/format.js";
import { visible } from "../base/visible.js";
import { frozenState } from "../model/frozen_state.js";
import { limitWords } from "../model/limit.js";
import { targetOf } from "../model/module_tree.js";

/**
 * @param {TreeNode} node
 * @param {readonly ParameterRow[]} parameters
 * @returns {Question}
 */
export function freezeQuestion(node, parameters) {
  const module = node.kind === "module";
  const inside = new Set(node.parameters);
  const live = parameters.flatMap((row, position) => (row.removed ? [] : [{ row, within: inside.has(position) }]));
  return {
    what: visible(module ? (node.path === "" ? "the whole model" : `${node.path}.*`) : node.path),
    target: targetOf(node),
    module,
    kinds: kindsFor(frozenState(node, parameters), module),
    rows: live.filter(({ within }) => within).map(({ row }) => row),
    others: live.filter(({ within }) => !within).map(({ row }) => row),
  };
}

/**
 * A module that is frozen may be frozen in another way.
 * @param {"true" | "false" | "mixed"} frozen
 * @param {boolean} module
 * @returns {FreezeKind[]}
 */
function kindsFor(frozen, module) {
  if (frozen === "false") return ["freeze"];
  if (frozen === "mixed") return ["freeze", "thaw"];
  return module ? ["thaw", "freeze"] : ["thaw"];
}

/**
 * What is asked for at first: a module that is frozen in one way is offered that way.
 * @param {Question} question
 * @param {FreezeKind} [kind]
 * @returns {FreezeDraft}
 */
export function firstDraft({ rows, target, kinds, module }, kind = kinds[0]) {
  const plain = /** @type {FreezeDraft} */ ({ kind, target, mode: "grad", hold_stats: false, reset_state: false, limit: null });
  if (kind === "thaw" || !module) return plain;
  const frozen = rows.flatMap((row) => row.frozen ?? []);
  const same = frozen.length > 0 && frozen.every(({ mode }) => mode === frozen[0].mode);
  return {
    ...plain,
    mode: same ? frozen[0].mode : "grad",
    hold_stats: frozen.some(({ hold_stats }) => hold_stats),
  };
}

/**
 * The draft after one of its fields was changed; another kind begins with that kind's own options.
 * @param {Question} question
 * @param {FreezeDraft} draft
 * @param {string} name
 * @param {string | boolean | import("../wire.js").Limit | null} value
 * @returns {FreezeDraft}
 */
export function changed(question, draft, name, value) {
  if (name === "kind") return firstDraft(question, /** @type {FreezeKind} */ (value));
  return { ...draft, [name]: value };
}

/**
 * Which options a draft has. Running statistics can be held only where the job has found some.
 * @param {Question} question
 * @param {FreezeDraft} draft
 * @param {Preview | null} preview the latest that is known
 */
export function optionsOf({ kinds, module }, draft, preview) {
  const freeze = draft.kind === "freeze";
  return {
    kind: kinds.length > 1,
    mode: freeze && module,
    hold_stats: freeze && (draft.hold_stats || (preview?.running_stats.length ?? 0) > 0),
    reset_state: !freeze,
    limit: freeze,
  };
}

/**
 * Is the job sure to reject what the preview is of? A module whose input carries the gradient of a
 * trainable parameter does not run without a graph.
 * @param {Preview} preview
 */
export function isBarred({ mode, cut_off }) {
  return mode === "no_grad" && cut_off !== null && cut_off.length > 0;
}

/**
 * @param {Question} question
 * @param {FreezeDraft} draft
 * @param {Touched} touched
 */
export function headline({ what }, draft, { count, numel }) {
  return `${verb(draft)} ${what}: ${plural(count, "parameter")}, ${plural(numel, "number")}`;
}

/** @param {FreezeDraft} draft */
export function verb({ kind }) {
  return kind === "thaw" ? "Thaw" : "Freeze";
}

/** @param {FreezeDraft} draft */
export function consequence({ kind, reset_state, limit }) {
  if (kind === "freeze") {
    const lasts = limitWords(limit).map((words) => `, ${words}`).join("") || " any more";
    return `Not changed from the next step boundary${lasts}; the optimizer’s state is kept.`;
  }
  return reset_state
    ? "Training goes on from the next step; the optimizer’s state begins anew."
    : "Training goes on from the next step; the optimizer’s state was kept.";
}

/**
 * What the page knows by itself; the bytes are the job's to say.
 * @param {Question} question
 * @param {FreezeDraft} draft
 * @returns {Touched}
 */
export function knownOf({ rows, others }, draft) {
  const freeze = draft.kind === "freeze";
  const numel = numelOf(rows);
  const trainable = [...others.filter(({ frozen }) => frozen === null), ...(freeze ? [] : rows)];
  const total = numel + numelOf(others);
  return {
    ...draft,
    count: rows.length,
    already: rows.filter(({ frozen }) => (frozen !== null) === freeze).length,
    numel,
    share: total === 0 ? 0 : numel / total,
    gradient_bytes: null,
    state_bytes: null,
    trainable_after: trainable.length,
    trainable_numel_after: numelOf(trainable),
    not_in_optimizer: rows.filter((row) => !row.in_optimizer).map(({ name }) => name),
    tied: rows.filter(({ names }) => names.length > 1).map(({ names }) => names),
    running_stats: [],
    cut_off: [],
    recompiles: false,
  };
}

/** @param {readonly ParameterRow[]} rows */
function numelOf(rows) {
  return rows.reduce((sum, row) => sum + row.numel, 0);
}
