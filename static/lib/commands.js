/**
 * The life of a command, as the log shows it: requested → delivered → applied → verified,
 * or rejected, or superseded.
 *
 * @typedef {import("../wire.js").CommandRow} CommandRow
 * @typedef {import("../wire.js").CommandState} CommandState
 * @typedef {object} Stage
 * @property {string} label
 * @property {"done" | "waiting" | "ahead" | "ended"} progress
 * @property {number | null} time
 */
import { coveredBy } from "./target.js";
import { visible } from "./visible.js";

/** How many commands the page keeps: as many as the server sends at connect. */
export const COMMANDS_KEPT = 100;

/** @type {readonly CommandState[]} */
const PATH = Object.freeze(["requested", "delivered", "applied", "verified"]);

/**
 * The stages of one command. A report may skip stages; a skipped one counts as done.
 * @param {CommandRow} command
 * @returns {Stage[]}
 */
export function stages(command) {
  const ended = command.state === "rejected" || command.state === "superseded";
  const reached = ended
    ? PATH.findLastIndex((state) => state in command.times)
    : PATH.indexOf(command.state);
  /** @type {Stage[]} */
  const steps = PATH.map((state, i) => ({
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
 * @param {CommandState} state
 * @param {CommandRow} command
 */
function stageLabel(state, command) {
  if (state !== "applied" || command.step === null) return state;
  return tookEffect(command) ? `applied at step ${command.step}` : state;
}

/** @param {CommandRow} command */
function tookEffect({ state, times }) {
  return state === "applied" || state === "verified" || "applied" in times;
}

/**
 * One sentence on where a command stands, for the announcement to screen readers.
 * @param {CommandRow} command
 */
export function statement(command) {
  const what = `${command.kind} ${visible(command.target)}`;
  const at =
    command.step !== null && (command.state === "applied" || command.state === "verified")
      ? ` at step ${command.step}`
      : "";
  const why = command.state === "rejected" && command.reason ? `: ${visible(command.reason)}` : "";
  const state = command.state === "verified" ? "applied and verified" : command.state;
  return `${what} ${state}${at}${why}`;
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
 * @param {readonly {names: readonly string[]}[]} parameters
 * @returns {Map<number, CommandRow>} by position
 */
export function pendingByParameter(commands, parameters) {
  /** @type {Map<number, CommandRow>} */
  const pending = new Map();
  for (const command of commands.filter(isPending)) {
    for (const position of coveredBy(command.target, parameters)) {
      if (!pending.has(position)) pending.set(position, command);
    }
  }
  return pending;
}

/** @param {CommandRow} command */
export function oppositeKind(command) {
  return command.kind === "freeze" ? "thaw" : "freeze";
}

/**
 * The commands that have an effect left to undo: no later command took up the same target.
 * @param {readonly CommandRow[]} commands newest first
 * @returns {Set<number>} their ids
 */
export function undoable(commands) {
  /** @type {Set<number>} */
  const ids = new Set();
  /** @type {Set<string>} */
  const taken = new Set();
  for (const { id, target, state } of commands) {
    if (state === "rejected") continue;
    if (state !== "superseded" && !taken.has(target)) ids.add(id);
    taken.add(target);
  }
  return ids;
}

/**
 * Where commands took effect, for the marks on charts: one a step, oldest first.
 * @param {readonly CommandRow[]} commands
 * @returns {{step: number, label: string}[]}
 */
export function effectMarks(commands) {
  /** @type {Map<number, string[]>} */
  const byStep = new Map();
  for (const command of [...commands].reverse()) {
    if (command.step === null || !tookEffect(command)) continue;
    const text = `${command.kind} ${command.target}`;
    byStep.set(command.step, [...(byStep.get(command.step) ?? []), text]);
  }
  return [...byStep]
    .map(([step, texts]) => ({ step, label: texts.join(", ") }))
    .sort((a, b) => a.step - b.step);
}
