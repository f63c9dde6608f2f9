/**
 * The states of a command: requested → delivered → applied → verified, or rejected, or superseded; and
 * drifted, when what was applied does not hold.
 *
 * @typedef {import("../wire.js").CommandState} CommandState
 * @typedef {Pick<import("./records.js").CommandRow, "state" | "times">} Reported
 */

/** The states on the way. @type {readonly CommandState[]} */
export const PATH = Object.freeze(["requested", "delivered", "applied", "verified"]);

/** @type {ReadonlySet<CommandState>} */
const ENDS = new Set(["rejected", "superseded", "drifted"]);

/** Has the command left the path? @param {Reported} command */
export function hasEnded({ state }) {
  return ENDS.has(state);
}

/**
 * How far on the path a command has come, or had come when it ended. Only what was applied can drift.
 * @param {Reported} command
 */
export function reached(command) {
  const { state, times } = command;
  if (!hasEnded(command)) return PATH.indexOf(state);
  const told = PATH.findLastIndex((each) => each in times);
  return state === "drifted" ? Math.max(told, PATH.indexOf("applied")) : told;
}

/** Is it asked for and not yet reported? @param {Reported} command */
export function isPending({ state }) {
  return state === "requested" || state === "delivered";
}

/** @param {Reported} command */
export function tookEffect({ state, times }) {
  return state === "applied" || state === "verified" || state === "drifted" || "applied" in times;
}
