/**
 * The commands that the page knows, and what they ask of parameters.
 *
 * @typedef {import("./records.js").CommandRow} CommandRow
 */
import { kindOf } from "./command_kinds.js";
import { isPending } from "./command_states.js";
import { coveredBy } from "./target.js";

/** How many commands the page keeps: as many as the server sends at connect. */
export const COMMANDS_KEPT = 100;

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

/**
 * For each parameter, what was asked for it and not yet reported: the newest pending command.
 * @param {readonly CommandRow[]} commands newest first
 * @param {readonly {names: readonly string[], removed: boolean}[]} parameters
 * @returns {Map<number, CommandRow>} by position
 */
export function pendingByParameter(commands, parameters) {
  /** @type {Map<number, CommandRow>} */
  const pending = new Map();
  for (const command of commands.filter((each) => isPending(each) && kindOf(each).changes === "parameters")) {
    for (const position of coveredBy(command.target, parameters)) {
      if (!pending.has(position)) pending.set(position, command);
    }
  }
  return pending;
}
