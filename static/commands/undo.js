/**
 * What undoes a command, and which commands still have an effect to undo.
 *
 * @typedef {import("../wire.js").CommandRow} CommandRow
 * @typedef {import("../wire.js").Draft} Draft
 * @typedef {import("../wire.js").FreezeCommand} FreezeCommand
 * @typedef {import("../wire.js").GateCommand} GateCommand
 * @typedef {import("../wire.js").GateDraft} GateDraft
 * @typedef {import("../wire.js").GateRow} GateRow
 * @typedef {import("../wire.js").UngateDraft} UngateDraft
 */
import { tookEffect } from "../model/commands.js";

/**
 * What undoes a command, or null where the page does not know how it was before.
 * @param {CommandRow} command
 * @param {readonly CommandRow[]} commands newest first
 * @param {readonly GateRow[]} gates
 * @returns {Draft | GateDraft | UngateDraft | null}
 */
export function oppositeOf(command, commands, gates) {
  if (command.kind === "explain") return null;
  if (command.kind !== "gate" && command.kind !== "ungate") return oppositeFreeze(command, commands);
  const gate = gateOf(command, gates);
  if (gate === null) return null;
  const before = ruleBefore(command.id, gate, commands, gates);
  if (command.kind === "ungate") return before && asDraft(before, null);
  if (before !== null) return asDraft(before, gate);
  const made = gates.find(({ id }) => id === gate);
  return made !== undefined && made.since_step === command.step ? { kind: "ungate", gate } : null;
}

/**
 * A thaw is undone by freezing as it was frozen before.
 * @param {FreezeCommand} command
 * @param {readonly CommandRow[]} commands newest first
 * @returns {Draft}
 */
function oppositeFreeze({ id, kind, target }, commands) {
  const plain = /** @type {const} */ ({ target, mode: "grad", hold_stats: false, reset_state: false });
  if (kind === "freeze") return { ...plain, kind: "thaw" };
  const before = commands.find(
    (each) => each.id < id && each.kind === "freeze" && each.target === target && tookEffect(each),
  );
  const { mode, hold_stats } = before?.kind === "freeze" ? before : plain;
  return { ...plain, kind: "freeze", mode, hold_stats };
}

/**
 * The gate that a command made, changed or removed, or null where the job has not said.
 * @param {CommandRow} command
 * @param {readonly GateRow[]} gates
 */
function gateOf(command, gates) {
  if (command.kind !== "gate" && command.kind !== "ungate") return null;
  return command.gate ?? gates.find((gate) => gate.command === command.id)?.id ?? null;
}

/**
 * The latest earlier command that gave a gate its rule.
 * @param {number} id of a command
 * @param {number} gate
 * @param {readonly CommandRow[]} commands newest first
 * @param {readonly GateRow[]} gates
 * @returns {GateCommand | null}
 */
function ruleBefore(id, gate, commands, gates) {
  for (const each of commands) {
    if (each.id < id && each.kind === "gate" && tookEffect(each) && gateOf(each, gates) === gate) return each;
  }
  return null;
}

/**
 * @param {GateCommand} command
 * @param {number | null} gate
 * @returns {GateDraft}
 */
function asDraft({ site, when, action, factor, max_norm, hold, paused }, gate) {
  return { kind: "gate", site, when, action, factor, max_norm, hold, paused, gate };
}

/**
 * The freezes that were applied and do not hold, as long as no later command took up their target.
 * @param {readonly CommandRow[]} commands newest first
 */
export function drifted(commands) {
  const standing = undoable(commands, []);
  return commands.filter(({ id, state }) => state === "drifted" && standing.has(id));
}

/**
 * The commands that have an effect left to undo: no later command took up the same target or gate.
 * @param {readonly CommandRow[]} commands newest first
 * @param {readonly GateRow[]} gates
 * @returns {Set<number>} their ids
 */
export function undoable(commands, gates) {
  /** @type {Set<number>} */
  const ids = new Set();
  /** @type {Set<string>} */
  const taken = new Set();
  for (const command of commands) {
    const { id, state } = command;
    const key = takenUp(command, gates);
    if (state === "rejected" || key === null) continue;
    if (state !== "superseded" && !taken.has(key)) ids.add(id);
    taken.add(key);
  }
  return ids;
}

/**
 * What a command took up; null for a question, and for a gate that the job has not named yet.
 * @param {CommandRow} command
 * @param {readonly GateRow[]} gates
 */
function takenUp(command, gates) {
  if (command.kind === "explain") return null;
  if (command.kind !== "gate" && command.kind !== "ungate") return `target ${command.target}`;
  const gate = gateOf(command, gates);
  return gate === null ? null : `gate ${gate}`;
}
