/**
 * The kinds of commands: how each is said, how far it goes, what it takes up and what undoes it. A new
 * one is an entry of `ENTRIES`, and its draft in records.d.ts.
 *
 * @typedef {import("../wire.js").CommandState} CommandState
 * @typedef {import("./records.js").CommandDraft} CommandDraft
 * @typedef {import("./records.js").CommandKind} CommandKind
 * @typedef {import("./records.js").CommandRow} CommandRow
 * @typedef {import("./records.js").ExplainDraft} ExplainDraft
 * @typedef {import("./records.js").FreezeCommand} FreezeCommand
 * @typedef {import("./records.js").FreezeDraft} FreezeDraft
 * @typedef {import("./records.js").GateCommand} GateCommand
 * @typedef {import("./records.js").GateDraft} GateDraft
 * @typedef {import("./records.js").GateRow} GateRow
 * @typedef {import("./records.js").UngateCommand} UngateCommand
 * @typedef {import("./records.js").UngateDraft} UngateDraft
 *
 * @typedef {{verb: string, object: string}} Words
 * @typedef {{commands: readonly CommandRow[], gates: readonly GateRow[]}} Known commands newest first
 */
import { visible } from "../base/visible.js";
import { PATH, tookEffect } from "./command_states.js";
import { frozenWords } from "./frozen_state.js";
import { ruleWords } from "./gate_words.js";

/**
 * @template {CommandDraft} Draft
 * @template {CommandRow} Row
 * @typedef {object} Kind
 * @property {"parameters" | "gate" | null} changes null for a question
 * @property {readonly CommandState[]} path as far as it goes
 * @property {string} applied the word for that state
 * @property {(draft: Draft) => Words} words
 * @property {(draft: Draft) => string[]} options what is asked for beside those words
 * @property {(draft: Draft) => string} change what it brings about, as a noun
 * @property {(command: Row, known: Known) => string | null} takesUp what a later command takes over; null for nothing
 * @property {(command: Row, known: Known) => CommandDraft | null} opposite null where the page does not know how it was before
 */

const CHANGE = Object.freeze({ path: PATH, applied: "applied" });

/** @type {Pick<Kind<FreezeDraft, FreezeCommand>, "changes" | "path" | "applied" | "words" | "takesUp">} */
const FREEZING = Object.freeze({
  ...CHANGE,
  changes: "parameters",
  words: ({ kind, target }) => ({ verb: kind, object: visible(target) }),
  takesUp: ({ target }) => `target ${target}`,
});

/** @type {Kind<FreezeDraft, FreezeCommand>} */
const FREEZE = Object.freeze({
  ...FREEZING,
  options: (draft) => [...frozenWords(draft), ...resetWords(draft)],
  change: () => "freeze",
  opposite: ({ target }) => ({ ...plainFreeze(target), kind: "thaw" }),
});

/** @type {Kind<FreezeDraft, FreezeCommand>} */
const THAW = Object.freeze({
  ...FREEZING,
  options: resetWords,
  change: () => "thaw",
  opposite: ({ id, target }, { commands }) => {
    const before = commands.find(
      (each) => each.id < id && each.kind === "freeze" && each.target === target && tookEffect(each),
    );
    const { mode, hold_stats, limit } = before?.kind === "freeze" ? before : plainFreeze(target);
    return { ...plainFreeze(target), mode, hold_stats, limit };
  },
});

/** @type {Kind<GateDraft, GateCommand>} */
const GATE = Object.freeze({
  ...CHANGE,
  changes: "gate",
  words: gateWords,
  options: () => [],
  change: ({ paused }) => (paused ? "pause" : "change"),
  takesUp: gateTakenUp,
  opposite: (command, known) => {
    const gate = gateOf(command, known);
    if (gate === null) return null;
    const before = ruleBefore(command.id, gate, known);
    if (before !== null) return asDraft(before, gate);
    const made = known.gates.find(({ id }) => id === gate);
    return made !== undefined && made.since_step === command.step ? { kind: "ungate", gate } : null;
  },
});

/** @type {Kind<UngateDraft, UngateCommand>} */
const UNGATE = Object.freeze({
  ...CHANGE,
  changes: "gate",
  words: ({ gate }) => ({ verb: "remove", object: `gate ${gate}` }),
  options: () => [],
  change: () => "removal",
  takesUp: gateTakenUp,
  opposite: (command, known) => {
    const before = ruleBefore(command.id, command.gate, known);
    return before && asDraft(before, null);
  },
});

/** @type {Kind<ExplainDraft, CommandRow>} */
const EXPLAIN = Object.freeze({
  changes: null,
  path: PATH.slice(0, PATH.indexOf("verified")),
  applied: "answered",
  words: ({ kind, target }) => ({ verb: kind, object: visible(target) }),
  options: () => [],
  change: () => "question",
  takesUp: () => null,
  opposite: () => null,
});

/** @type {Readonly<Record<CommandKind, Kind<any, any>>>} */
const ENTRIES = Object.freeze({ freeze: FREEZE, thaw: THAW, gate: GATE, ungate: UNGATE, explain: EXPLAIN });

/** @type {ReadonlyMap<string, Kind<any, any>>} */
const KINDS = new Map(Object.entries(ENTRIES));

/** What the page does not know it shows by name, and offers nothing for. @type {Kind<any, any>} */
const UNKNOWN = Object.freeze({ ...EXPLAIN, ...CHANGE, change: ({ kind }) => visible(kind) });

/**
 * The kind of a command; one from a newer server reads as its own name.
 * @param {CommandDraft} draft
 * @returns {Kind<CommandDraft, CommandRow>}
 */
export function kindOf({ kind }) {
  return KINDS.get(kind) ?? UNKNOWN;
}

/**
 * Does a command work on a gate?
 * @param {CommandRow} command
 * @returns {command is GateCommand | UngateCommand}
 */
export function isGating(command) {
  return kindOf(command).changes === "gate";
}

/**
 * What is asked for: the verb, and the rest.
 * @param {CommandDraft} draft
 */
export function askedFor(draft) {
  return kindOf(draft).words(draft);
}

/**
 * What is asked for, with its options, on one line.
 * @param {CommandDraft} draft
 */
export function draftWords(draft) {
  const { words, options } = kindOf(draft);
  const { verb, object } = words(draft);
  return [`${verb} ${object}`, ...options(draft)].join(", ");
}

/**
 * @param {string} target
 * @returns {FreezeDraft}
 */
function plainFreeze(target) {
  return { kind: "freeze", target, mode: "grad", hold_stats: false, reset_state: false, limit: null };
}

/** @param {FreezeDraft} draft */
function resetWords({ reset_state }) {
  return reset_state ? ["optimizer state reset"] : [];
}

/**
 * The server adds the number of a new gate when the job has made it, so a gate that is made and one
 * that is changed read alike: by what they do then.
 * @param {GateDraft} draft
 * @returns {Words}
 */
function gateWords(draft) {
  const { verb, object } = ruleWords(draft);
  const which = draft.gate === null ? "a new gate" : `gate ${draft.gate}`;
  if (draft.paused) return { verb: "pause", object: `${which}: ${verb} ${object}` };
  return { verb, object: draft.gate === null ? object : `${object} (${which})` };
}

/**
 * The gate that a command made, changed or removed, or null where the job has not said.
 * @param {GateCommand | UngateCommand} command
 * @param {Pick<Known, "gates">} known
 */
function gateOf({ id, gate }, { gates }) {
  return gate ?? gates.find(({ command }) => command === id)?.id ?? null;
}

/**
 * @param {GateCommand | UngateCommand} command
 * @param {Known} known
 */
function gateTakenUp(command, known) {
  const gate = gateOf(command, known);
  return gate === null ? null : `gate ${gate}`;
}

/**
 * The latest earlier command that gave a gate its rule.
 * @param {number} id of a command
 * @param {number} gate
 * @param {Known} known
 * @returns {GateCommand | null}
 */
function ruleBefore(id, gate, known) {
  for (const each of known.commands) {
    if (each.id < id && each.kind === "gate" && tookEffect(each) && gateOf(each, known) === gate) return each;
  }
  return null;
}

/**
 * @param {GateCommand} command
 * @param {number | null} gate
 * @returns {GateDraft}
 */
function asDraft({ site, when, action, factor, max_norm, hold, paused, limit }, gate) {
  return { kind: "gate", site, when, action, factor, max_norm, hold, paused, gate, limit };
}
