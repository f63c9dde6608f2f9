/**
 * The life of a command, as the log shows it: requested → delivered → applied → verified,
 * or rejected, or superseded; and drifted, when what was applied does not hold. A question, `explain`,
 * ends with applied.
 *
 * @typedef {import("../wire.js").CommandRow} CommandRow
 * @typedef {import("../wire.js").CommandState} CommandState
 * @typedef {import("../wire.js").AnyDraft} AnyDraft
 * @typedef {object} Stage
 * @property {string} label
 * @property {"done" | "waiting" | "ahead" | "ended"} progress
 * @property {number | null} time
 */
import { visible } from "../base/visible.js";
import { frozenWords } from "./frozen_state.js";
import { gateWords } from "./gate_words.js";
import { coveredBy } from "./target.js";

/** How many commands the page keeps: as many as the server sends at connect. */
export const COMMANDS_KEPT = 100;

/** @type {readonly CommandState[]} */
const PATH = Object.freeze(["requested", "delivered", "applied", "verified"]);
/** States after which a command's path goes no further. @type {ReadonlySet<CommandState>} */
const ENDS = new Set(["rejected", "superseded", "drifted"]);

/**
 * The stages of one command. A report may skip stages; a skipped one counts as done.
 * @param {CommandRow} command
 * @returns {Stage[]}
 */
export function stages(command) {
  const ended = ENDS.has(command.state);
  const reached = ended ? lastReached(command) : PATH.indexOf(command.state);
  const path = command.kind === "explain" ? PATH.slice(0, PATH.indexOf("verified")) : PATH;
  /** @type {Stage[]} */
  const steps = path.map((state, i) => ({
    label: stageLabel(state, command),
    progress: i <= reached ? "done" : i === reached + 1 ? "waiting" : "ahead",
    time: command.times[state] ?? null,
  }));
  if (!ended) return steps;
  const time = command.times[command.state] ?? null;
  return [
    ...steps.slice(0, Math.max(1, reached + 1)),
    { label: command.state, progress: "ended", time },
  ];
}

/**
 * How far a command had come when it ended. Only what was applied can drift.
 * @param {CommandRow} command
 */
function lastReached({ state, times }) {
  const told = PATH.findLastIndex((each) => each in times);
  return state === "drifted" ? Math.max(told, PATH.indexOf("applied")) : told;
}

/**
 * @param {CommandState} state
 * @param {CommandRow} command
 */
function stageLabel(state, command) {
  if (state !== "applied") return state;
  const word = command.kind === "explain" ? "answered" : state;
  return command.step !== null && tookEffect(command) ? `${word} at step ${command.step}` : word;
}

/** @param {CommandRow} command */
export function tookEffect({ state, times }) {
  return state === "applied" || state === "verified" || state === "drifted" || "applied" in times;
}

/**
 * One sentence on where a command stands, for the announcement to screen readers.
 * @param {CommandRow} command
 */
export function statement(command) {
  const what = draftWords(command);
  const at =
    command.step !== null && (command.state === "applied" || command.state === "verified")
      ? ` at step ${command.step}`
      : "";
  const troubled = command.state === "rejected" || command.state === "drifted";
  const why = troubled && command.reason ? `: ${visible(command.reason)}` : "";
  return `${what} ${stateWords(command)}${at}${why}`;
}

/** @param {CommandRow} command */
function stateWords({ kind, state }) {
  if (state === "verified") return "applied and verified";
  return kind === "explain" && state === "applied" ? "answered" : state;
}

/** Does a command work on a gate? @param {CommandRow} command */
export function isGating(command) {
  return command.kind === "gate" || command.kind === "ungate";
}

/** Does a command freeze or thaw? @param {CommandRow} command */
export function isFreezing(command) {
  return command.kind === "freeze" || command.kind === "thaw";
}

/**
 * What is asked for: the verb, and the rest.
 * @param {AnyDraft} draft
 * @returns {{verb: string, object: string}}
 */
export function askedFor(draft) {
  if (draft.kind === "gate" || draft.kind === "ungate") return gateWords(draft);
  return { verb: draft.kind, object: visible(draft.target) };
}

/**
 * What is asked for, with its options, on one line.
 * @param {AnyDraft} draft
 */
export function draftWords(draft) {
  const { verb, object } = askedFor(draft);
  return [`${verb} ${object}`, ...optionWords(draft)].join(", ");
}

/**
 * Known commands with newer rows put in, newest first; the oldest are forgotten.
 * @param {readonly CommandRow[]} known
 * @param {readonly CommandRow[]} rows
 */
export function mergeCommands(known, rows) {
  const byId = new Map(known.map((command) => [command.id, command]));
  for (const row of rows) byId.set(row.id, row);
  return [...byId.values()].sort((a, b) => b.id - a.id).slice(0, COMMANDS_KEPT);
}

/** @param {CommandRow} command */
export function isPending(command) {
  return command.state === "requested" || command.state === "delivered";
}

/**
 * For each parameter, what was asked for it and not yet reported: the newest pending command.
 * @param {readonly CommandRow[]} commands newest first
 * @param {readonly {names: readonly string[], removed: boolean}[]} parameters
 * @returns {Map<number, CommandRow>} by position
 */
export function pendingByParameter(commands, parameters) {
  /** @type {Map<number, CommandRow>} */
  const pending = new Map();
  for (const command of commands.filter((each) => isPending(each) && isFreezing(each))) {
    for (const position of coveredBy(command.target, parameters)) {
      if (!pending.has(position)) pending.set(position, command);
    }
  }
  return pending;
}

/**
 * What a freeze or thaw asks for beside its kind and target; the words of others are whole.
 * @param {AnyDraft} draft
 * @returns {string[]}
 */
export function optionWords(draft) {
  if (draft.kind !== "freeze" && draft.kind !== "thaw") return [];
  const { kind, mode, hold_stats, reset_state } = draft;
  const words = kind === "freeze" ? frozenWords({ mode, hold_stats }) : [];
  return reset_state ? [...words, "optimizer state reset"] : words;
}

/**
 * Where commands took effect, for the marks on charts: one a step, oldest first. A question changes nothing.
 * @param {readonly CommandRow[]} commands
 * @returns {{step: number, label: string, gating: boolean}[]} `gating`: all of them work on gates
 */
export function effectMarks(commands) {
  /** @type {Map<number, {texts: string[], gating: boolean}>} */
  const byStep = new Map();
  for (const command of [...commands].reverse()) {
    if (command.kind === "explain" || command.step === null || !tookEffect(command)) continue;
    const { verb, object } = askedFor(command);
    const { texts, gating } = byStep.get(command.step) ?? { texts: [], gating: true };
    byStep.set(command.step, { texts: [...texts, `${verb} ${object}`], gating: gating && isGating(command) });
  }
  return [...byStep]
    .map(([step, { texts, gating }]) => ({ step, label: texts.join(", "), gating }))
    .sort((a, b) => a.step - b.step);
}
