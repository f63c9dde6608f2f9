/**
 * The marks on charts where commands took effect.
 *
 * @typedef {import("./records.js").CommandRow} CommandRow
 * @typedef {{step: number, label: string, gating: boolean}} EffectMark `gating`: all of its commands work on gates
 */
import { askedFor, isGating, kindOf } from "./command_kinds.js";
import { tookEffect } from "./command_states.js";

/**
 * One mark a step, oldest first. A question changes nothing.
 * @param {readonly CommandRow[]} commands
 * @returns {EffectMark[]}
 */
export function effectMarks(commands) {
  /** @type {Map<number, {texts: string[], gating: boolean}>} */
  const byStep = new Map();
  for (const command of [...commands].reverse()) {
    if (kindOf(command).changes === null || command.step === null || !tookEffect(command)) continue;
    const { verb, object } = askedFor(command);
    const { texts, gating } = byStep.get(command.step) ?? { texts: [], gating: true };
    byStep.set(command.step, { texts: [...texts, `${verb} ${object}`], gating: gating && isGating(command) });
  }
  return [...byStep]
    .map(([step, { texts, gating }]) => ({ step, label: texts.join(", "), gating }))
    .sort((a, b) => a.step - b.step);
}
