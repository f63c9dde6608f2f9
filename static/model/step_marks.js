/**
 * The marks over the steps: commands that took effect, and events.
 *
 * @typedef {import("./records.js").CommandRow} CommandRow
 * @typedef {import("../wire.js").EventRow} EventRow
 *
 * @typedef {object} StepMark
 * @property {number} step
 * @property {"command" | "alert" | "note"} kind
 * @property {string} label
 * @property {boolean} [gating] is it of commands that work on gates alone?
 */
import { effectMarks } from "./effect_marks.js";

/** Kinds of events that say what a command's mark, or the chart's own ends, say already. */
const TOLD_ELSEWHERE = Object.freeze(["command", "run"]);

/**
 * Notes first, so that alerts and commands are drawn over them.
 * @param {readonly CommandRow[]} commands
 * @param {readonly EventRow[]} events
 * @returns {StepMark[]}
 */
export function stepMarks(commands, events) {
  const told = events.filter(({ kind, dismissed }) => !TOLD_ELSEWHERE.includes(kind) && dismissed === null);
  const ofEvents = told.map(({ step, level, sentence }) => ({ step, kind: level, label: sentence }));
  const ofCommands = effectMarks(commands).map((mark) => ({ ...mark, kind: /** @type {const} */ ("command") }));
  return [...ofEvents.filter(({ kind }) => kind === "note"), ...ofEvents.filter(({ kind }) => kind === "alert"), ...ofCommands];
}

/**
 * The marks near a step, the last drawn first.
 * @param {readonly StepMark[]} marks
 * @param {number} step
 * @param {number} reach steps
 */
export function marksNear(marks, step, reach) {
  return marks.filter((mark) => Math.abs(mark.step - step) <= reach).reverse();
}
