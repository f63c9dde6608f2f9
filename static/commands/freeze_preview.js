/**
 * What a freeze or thaw would touch, in words: the job's answer, or what the page knows before it.
 *
 * @typedef {import("../model/records.js").FreezeDraft} FreezeDraft
 * @typedef {import("../wire.js").Preview} Preview
 *
 * @typedef {Omit<Preview, "parameters" | "warnings" | "gradient_bytes" | "state_bytes">
 *   & {gradient_bytes: number | null, state_bytes: number | null}} Touched a preview, perhaps without the bytes
 *
 * @typedef {object} Fact
 * @property {string} term
 * @property {string} value
 * @property {string} [full] all of it, where the value is cut
 */
import { formatBytes, formatCount, formatPercent, plural } from "../base/format.js";
import { visible } from "../base/visible.js";

/** As many names as a preview holds of each list. */
const NAMES_SENT = 20;
const NAMES_SHOWN = 3;

/**
 * The query of `GET /api/runs/{run}/preview`.
 * @param {Omit<FreezeDraft, "limit">} draft
 */
export function previewQuery({ kind, target, mode, hold_stats, reset_state }) {
  return new URLSearchParams({
    kind,
    target,
    mode,
    hold_stats: String(hold_stats),
    reset_state: String(reset_state),
  }).toString();
}

/**
 * What is touched, most telling first.
 * @param {Touched} touched
 * @param {string} unknown stands where the job has not said a number
 * @returns {Fact[]}
 */
export function factsOf(touched, unknown) {
  return [
    ...lists(touched),
    ...already(touched),
    { term: "Share of the model", value: formatPercent(touched.share) },
    { term: "Gradients", value: gradients(touched) ?? unknown },
    { term: "Optimizer state", value: optimizerState(touched) ?? unknown },
    { term: "Left trainable", value: leftTrainable(touched) },
  ];
}

/**
 * @param {Touched} touched
 * @returns {Fact[]}
 */
function lists({ kind, mode, cut_off, not_in_optimizer, running_stats, tied, recompiles }) {
  const equal = tied.map((names) => names.join(" = "));
  const unseen = mode === "no_grad" && cut_off === null;
  return [
    ...named("Cut off upstream", cut_off ?? []),
    ...(unseen ? [{ term: "Cut off upstream", value: "known at the next forward" }] : []),
    ...(kind === "thaw" ? named("In no optimizer", not_in_optimizer) : []),
    ...named("Statistics run on", running_stats.map((path) => path || "the whole model")),
    ...named("Tied", equal),
    ...(recompiles ? [{ term: "torch.compile", value: "recompiles at the next forward" }] : []),
    ...(kind === "freeze" ? named("In no optimizer", not_in_optimizer) : []),
  ];
}

/**
 * @param {string} term
 * @param {readonly string[]} names
 * @returns {Fact[]}
 */
function named(term, names) {
  if (names.length === 0) return [];
  const seen = names.map(visible);
  const rest = names.length - NAMES_SHOWN;
  if (rest <= 0) return [{ term, value: seen.join(", ") }];
  const more = names.length < NAMES_SENT ? `and ${rest} more` : `and ${rest} or more others`;
  return [{ term, value: `${seen.slice(0, NAMES_SHOWN).join(", ")} ${more}`, full: seen.join(", ") }];
}

/**
 * @param {Touched} touched
 * @returns {Fact[]}
 */
function already({ kind, already: some, count }) {
  if (some === 0) return [];
  const term = kind === "freeze" ? "Already frozen" : "Already trainable";
  return [{ term, value: some === count ? `all ${formatCount(count)}` : `${formatCount(some)} of ${formatCount(count)}` }];
}

/** @param {Touched} touched */
function gradients({ kind, gradient_bytes: bytes }) {
  if (bytes === null) return null;
  if (bytes === 0) return kind === "freeze" ? "nothing to free" : "nothing more needed";
  return `${formatBytes(bytes)} ${kind === "freeze" ? "freed" : "needed"}`;
}

/** @param {Touched} touched */
function optimizerState({ state_bytes: bytes, reset_state }) {
  if (bytes === null) return null;
  if (bytes === 0) return "none held";
  return `${formatBytes(bytes)} ${reset_state ? "dropped" : "kept"}`;
}

/** @param {Touched} touched */
function leftTrainable({ trainable_after: count, trainable_numel_after: numel }) {
  return count === 0 ? "nothing" : `${plural(count, "parameter")}, ${plural(numel, "number")}`;
}
