/**
 * What differs between runs: facts, optimizers, and what was frozen and gated, as rows of text.
 *
 * @typedef {import("./compared_run.js").ComparedRun} ComparedRun
 * @typedef {import("../wire.js").CommandRow} CommandRow
 *
 * @typedef {object} Difference
 * @property {string} name
 * @property {string[]} values one a run
 * @property {boolean} differs
 */
import { capitalized, formatCount } from "../base/format.js";
import { openAlertWords } from "../model/events.js";
import { optimizerRows } from "./optimizer_rows.js";

/** @type {readonly [string, (each: ComparedRun) => string][]} */
const FACTS = Object.freeze([
  ["Status", ({ run }) => run.status],
  ["Step", ({ run }) => formatCount(run.step)],
  ["Parameters", ({ run }) => formatCount(run.parameters)],
  ["Numbers in them", ({ run }) => formatCount(run.numel)],
  ["Trainable", ({ run }) => formatCount(run.trainable)],
  ["Ranks", ({ run }) => formatCount(run.ranks)],
  ["Compiled", ({ run }) => (run.compiled ? "yes" : "no")],
  ["torch", ({ run }) => run.torch_version],
  ["Host", ({ run }) => run.host],
  ["Alerts now", ({ run }) => formatCount(run.alerts)],
  ["Open alerts", ({ run }) => (run.last_alert === null ? "none" : openAlertWords({ count: run.open_alerts, last: run.last_alert }))],
  ["Frozen now", ({ parameters }) => formatCount(parameters.filter(({ frozen }) => frozen !== null).length)],
  ["Not in the optimizer", ({ parameters }) => formatCount(parameters.filter((each) => !each.in_optimizer && !each.removed).length)],
]);

/**
 * Facts of some steps; the worst state is that of all these steps.
 * @type {readonly [string, (each: ComparedRun) => string][]}
 */
const RANGE_FACTS = Object.freeze([
  ["Steps", ({ steps }) => steps.map(formatCount).join(" to ")],
  ...["frozen", "gated", "absent", "zero", "nonfinite"].map(
    (/** @type {string} */ word) => /** @type {[string, (each: ComparedRun) => string]} */ ([`Parameters whose worst state is ${word}`, ({ norms }) => formatCount(inState(norms, word))]),
  ),
]);

/**
 * @param {readonly import("./compared_run.js").Norm[]} norms
 * @param {string} word
 */
function inState(norms, word) {
  return norms.reduce((sum, { state, parameters }) => (state === word ? sum + parameters : sum), 0);
}

/** Commands that were never carried out change nothing. */
const WITHOUT_EFFECT = Object.freeze(["rejected", "requested", "delivered"]);

/**
 * @param {readonly ComparedRun[]} runs
 * @returns {Difference[]} those that differ first
 */
export function differences(runs) {
  const facts = runs.some(({ side }) => side.range !== null) ? [...RANGE_FACTS, ...FACTS] : FACTS;
  const optimizers = optimizerRows(runs.map((each) => each.optimizers)).map(({ name, values, keys }) => row(name, values, keys));
  const rows = [...optimizers, ...facts.map(([name, read]) => row(name, runs.map(read))), ...commandRows(runs)];
  return [...rows.filter(({ differs }) => differs), ...rows.filter(({ differs }) => !differs)];
}

/**
 * A row for all that some run was told to do, with the steps at which it did.
 * @param {readonly ComparedRun[]} runs
 * @returns {Difference[]}
 */
function commandRows(runs) {
  const told = runs.map(stepsByCommand);
  const names = [...new Set(told.flatMap((each) => [...each.keys()]))];
  return names.map((name) => row(name, told.map((each) => each.get(name) ?? "–")));
}

/**
 * What was done in a run's steps, and before.
 * @param {ComparedRun} compared
 * @returns {Map<string, string>} "at step 20, 80", by what was done
 */
function stepsByCommand({ commands, side }) {
  const [first, last] = side.range ?? [0, Infinity];
  /** @type {Map<string, string[]>} */
  const found = new Map();
  for (const command of [...commands].reverse()) {
    if (command.step === null || command.step > last || WITHOUT_EFFECT.includes(command.state)) continue;
    const name = commandName(command);
    found.set(name, [...(found.get(name) ?? []), `${formatCount(command.step)}${command.step < first ? " (before)" : ""}`]);
  }
  return new Map([...found].map(([name, steps]) => [name, `at step ${steps.join(", ")}`]));
}

/** @param {CommandRow} command */
function commandName({ kind, target, site, when, gate }) {
  if (kind === "gate") return `Gate ${site ?? target}${when ? `, closed when ${when}` : ""}`;
  if (kind === "ungate") return `Remove gate ${gate ?? target}`;
  return `${capitalized(kind)} ${target}`;
}

/**
 * @param {string} name
 * @param {string[]} values
 * @param {readonly string[]} [keys] what differs where the runs do
 * @returns {Difference}
 */
function row(name, values, keys = values) {
  return { name, values, differs: keys.some((each) => each !== keys[0]) };
}
