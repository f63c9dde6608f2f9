/**
 * What a run's page is told over the live connection: one handler for each type of message. A new type
 * is an entry of `HANDLERS`.
 *
 * @typedef {import("../model/records.js").CommandRow} CommandRow
 * @typedef {import("../model/records.js").GateRow} GateRow
 * @typedef {import("../model/records.js").LiveMessage} LiveMessage
 * @typedef {import("../model/records.js").MessageType} MessageType
 * @typedef {import("../model/run_state.js").RunState} RunState
 * @typedef {import("../wire.js").EventRow} EventRow
 * @typedef {import("../wire.js").MetricPoint} MetricPoint
 *
 * @typedef {object} Told what keeps the news
 * @property {Pick<RunState, "setRun" | "setCommands" | "setGates" | "setAlerts" | "setOptimizers" | "focus">} state
 * @property {{take: (rows: readonly EventRow[]) => void}} events
 * @property {{addMetrics: (points: readonly MetricPoint[], complete: boolean) => void}} lines
 * @property {{outdate: () => void}} explanations
 * @property {() => void} loadParameters
 */

/** @type {{readonly [T in MessageType]: (told: Told, message: Extract<LiveMessage, {type?: T}>) => void}} */
const HANDLERS = Object.freeze({
  run: ({ state }, { run }) => state.setRun(run),
  commands: ({ state }, { commands }) => state.setCommands(/** @type {CommandRow[]} */ (commands)),
  parameters: ({ loadParameters }) => loadParameters(),
  gates: ({ state }, { gates }) => state.setGates(/** @type {GateRow[]} */ (gates)),
  explanations: ({ explanations }) => explanations.outdate(),
  alerts: ({ state }, { alerts }) => state.setAlerts(alerts),
  optimizers: ({ state }, { step, groups }) => state.setOptimizers({ step, groups }),
  events: ({ events: told }, { events }) => told.take(events),
  focus: ({ state }, told) => state.focus.answer(told),
  distributions: ({ state }, { parameters }) => state.focus.take(parameters),
  metrics: ({ lines }, { points, complete }) => lines.addMetrics(points, complete),
});

/** Every type of message that a page has a use for. */
export const MESSAGE_TYPES = Object.freeze(Object.keys(HANDLERS));

/**
 * Hand a message to its handler; one of a type from a newer server is passed over.
 * @param {LiveMessage} message
 * @param {Told} told
 */
export function receive(message, told) {
  const { type } = message;
  if (type === undefined || !Object.hasOwn(HANDLERS, type)) return;
  const handler = /** @type {(told: Told, message: LiveMessage) => void} */ (HANDLERS[type]);
  handler(told, message);
}
