/**
 * What undoes a command, and which commands still have an effect to undo.
 *
 * @typedef {import("../model/records.js").CommandDraft} CommandDraft
 * @typedef {import("../model/records.js").CommandRow} CommandRow
 * @typedef {import("../model/records.js").GateRow} GateRow
 */
import { kindOf } from "../model/command_kinds.js";

/**
 * What undoes a command, or null where the page does not know how it was before.
 * @param {CommandRow} command
 * @param {readonly CommandRow[]} commands newest first
 * @param {readonly GateRow[]} gates
 * @returns {CommandDraft | null}
 */
export function oppositeOf(command, commands, gates) {
  return kindOf(command).opposite(command, { commands, gates });
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
    const key = kindOf(command).takesUp(command, { commands, gates });
    if (state === "rejected" || key === null) continue;
    if (state !== "superseded" && !taken.has(key)) ids.add(id);
    taken.add(key);
  }
  return ids;
}
