/**
 * What the panel that explains a parameter says beside the job's own words.
 *
 * @typedef {import("../model/records.js").CommandRow} CommandRow
 * @typedef {import("../wire.js").Alert} Alert
 * @typedef {import("../wire.js").Explanation} Explanation
 * @typedef {import("../model/records.js").Explanations} Explanations
 * @typedef {import("../model/states.js").StateName} StateName
 * @typedef {import("../model/closed_gates.js").ClosedGate} ClosedGate
 *
 * @typedef {object} ExplainedParameter the parameter in question, as it stands now
 * @property {StateName | null} state null where the model has it not, or no longer
 * @property {boolean} removed
 * @property {Explanation | null} explanation
 * @property {boolean} holds does the explanation's cause fit the latest sample?
 * @property {boolean} known does the page know the name at all?
 * @property {readonly Alert[]} told alerts and notes about it
 * @property {readonly ClosedGate[]} gates that are closed and change its gradient
 */
import { formatCount, formatDuration, formatNumber } from "../base/format.js";
import { visible } from "../base/visible.js";
import { causeLabel } from "../model/alerts.js";
import { causeOf } from "../model/causes.js";
import { isPending } from "../model/command_states.js";
import { ruleWords } from "../model/gate_words.js";

/**
 * What there is to say in place of an explanation, or before one that holds no longer; null where the
 * explanation speaks for itself.
 * @param {ExplainedParameter} subject
 * @param {Explanations} answer
 * @returns {{tone: "calm" | "open" | "old", text: string} | null}
 */
export function standing({ state, removed, explanation, holds, known, told, gates }, { step, left_out }) {
  if (!known) return { tone: "open", text: "This run has no parameter of that name." };
  if (removed) return { tone: "open", text: "The model has this parameter no longer." };
  // The gate is the answer: no step need be traced for it.
  if (gates.length > 0 && explanation === null) return null;
  if (step === null && told.length > 0) return null;
  if (step === null) return { tone: "open", text: "Not looked at yet: the job has traced no step so far." };
  const then = `step ${formatCount(step)}`;
  if (explanation !== null) {
    if (holds) return null;
    return { tone: "old", text: `This was so at ${then}. In the latest sample it is ${state}: explain again.` };
  }
  if (state !== null && state !== "present" && state !== "unmeasured") {
    if (left_out > 0) return { tone: "open", text: `${formatCount(left_out)} explanations of ${then} are not listed, and this may be one of them.` };
    return { tone: "old", text: `It had a useful gradient at ${then}, when the job looked last. Now it is ${state}: explain again.` };
  }
  if (told.length > 0) return { tone: "open", text: `A useful gradient came to it at ${then}, when the job looked last.` };
  return { tone: "calm", text: `Nothing was wrong with it as of ${then}.` };
}

/**
 * From which step the answer is, what it cost, and who asked.
 * @param {Explanations} answer
 * @param {readonly CommandRow[]} commands
 */
export function traceWords(answer, commands) {
  const { step, seconds, ratio } = answer;
  if (step === null) return "";
  const cost = seconds === null ? "" : `, traced in ${formatDuration(seconds)}`;
  const share = ratio === null ? "" : `, ${formatNumber(ratio)} times a normal step`;
  return `Step ${formatCount(step)}${cost}${share}. ${askerWords(answer, commands)}.`;
}

/**
 * @param {Explanations} answer
 * @param {readonly CommandRow[]} commands
 */
function askerWords({ by, step, command }, commands) {
  const asked = commands.find(
    (each) => each.kind === "explain" && (command === null ? each.step === step : each.id === command),
  );
  if (asked !== undefined) return `Asked by ${visible(asked.by)} (command ${asked.id})`;
  return by === "command" ? `Asked by command ${command}` : "The job looked by itself";
}

/**
 * How far the latest question has come, where it is not answered.
 * @param {readonly CommandRow[]} commands newest first
 * @param {Explanations} answer
 * @returns {{pending: boolean, text: string}}
 */
export function askedWords(commands, answer) {
  const asked = commands.find(({ kind }) => kind === "explain");
  if (asked === undefined) return { pending: false, text: "" };
  if (isPending(asked)) return { pending: true, text: `${asked.state}: the job answers from its next step` };
  const answeredSince = (answer.time ?? 0) > (asked.times.rejected ?? asked.requested);
  if (asked.state !== "rejected" || answeredSince) return { pending: false, text: "" };
  const reason = asked.reason === null ? "no reason was given" : visible(asked.reason);
  return { pending: false, text: `rejected: ${reason}` };
}

/**
 * What a closed gate does, and since when.
 * @param {ClosedGate} closed
 */
export function closedGateWords({ gate, since }) {
  const { verb, object } = ruleWords(gate);
  const when = since === null ? "" : ` since step ${formatCount(since)}`;
  return `is closed${when}: ${verb} ${object}. Made or last changed by ${visible(gate.by)}${gate.command === null ? "" : ` (command ${gate.command})`}.`;
}

/**
 * What heads an alert or a note in the panel.
 * @param {Alert} alert
 */
export function toldHeading({ level, cause, since_step }) {
  return `${level === "note" ? "Note" : "Alert"}: ${causeLabel(cause)}, since step ${formatCount(since_step)}`;
}

/** What an explanation's advice is headed by. @param {string} cause */
export function adviceHeading(cause) {
  return causeOf(cause).wanted ? "To train it" : "What to do";
}
