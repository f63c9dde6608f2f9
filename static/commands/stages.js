/**
 * The life of a command, as the log shows it and a screen reader hears it.
 *
 * @typedef {import("../wire.js").CommandState} CommandState
 * @typedef {import("../model/records.js").CommandRow} CommandRow
 * @typedef {object} Stage
 * @property {string} label
 * @property {"done" | "waiting" | "ahead" | "ended"} progress
 * @property {number | null} time
 */
import { visible } from "../base/visible.js";
import { draftWords, kindOf } from "../model/command_kinds.js";
import { hasEnded, reached, tookEffect } from "../model/command_states.js";

/**
 * The stages of one command. A report may skip stages; a skipped one counts as done.
 * @param {CommandRow} command
 * @returns {Stage[]}
 */
export function stages(command) {
  const latest = reached(command);
  const ended = hasEnded(command);
  /** @type {Stage[]} */
  const steps = kindOf(command).path.map((state, i) => ({
    label: stageLabel(state, command),
    progress: i <= latest ? "done" : i === latest + 1 ? "waiting" : "ahead",
    time: command.times[state] ?? null,
  }));
  if (!ended) return steps;
  const time = command.times[command.state] ?? null;
  return [
    ...steps.slice(0, Math.max(1, latest + 1)),
    { label: command.state, progress: "ended", time },
  ];
}

/**
 * @param {CommandState} state
 * @param {CommandRow} command
 */
function stageLabel(state, command) {
  if (state !== "applied") return state;
  const word = kindOf(command).applied;
  return command.step !== null && tookEffect(command) ? `${word} at step ${command.step}` : word;
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
  const why = hasEnded(command) && command.reason ? `: ${visible(command.reason)}` : "";
  return `${what} ${stateWords(command)}${at}${why}`;
}

/** @param {CommandRow} command */
function stateWords(command) {
  const { state } = command;
  if (state === "verified") return "applied and verified";
  return state === "applied" ? kindOf(command).applied : state;
}
