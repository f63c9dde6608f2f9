/**
 * The gate that a person is writing: what the form says, and what is yet wrong with its shape.
 * Whether the condition is good is the job's to say.
 *
 * @typedef {import("../wire.js").GateAction} GateAction
 * @typedef {import("../wire.js").GateDraft} GateDraft
 * @typedef {import("../wire.js").GateRow} GateRow
 * @typedef {import("../model/gate_sites.js").Place} Place
 * @typedef {import("../model/gate_sites.js").SiteKind} SiteKind
 *
 * @typedef {object} GateForm as the inputs hold it
 * @property {SiteKind} kind
 * @property {string} label
 * @property {string} when
 * @property {GateAction} action
 * @property {string} factor
 * @property {string} max_norm
 * @property {string} hold
 */
import { kindsAt, parseSite, siteAt } from "../model/gate_sites.js";

/**
 * The form of a gate that is there, or of a new one.
 * @param {Place} place
 * @param {GateRow | null} gate
 * @returns {GateForm}
 */
export function formOf(place, gate) {
  const text = (/** @type {number | null | undefined} */ value) => (value == null ? "" : String(value));
  const { kind, name } = gate === null ? { kind: kindsAt(place)[0], name: "" } : parseSite(gate.site);
  return {
    kind,
    label: kind === "site" ? name : "",
    when: gate?.when ?? "",
    action: gate?.action ?? "block",
    factor: text(gate?.factor),
    max_norm: text(gate?.max_norm),
    hold: text(gate?.hold ?? 0),
  };
}

/**
 * What the form asks for; a number that is none reads as null, and an empty hold as 0.
 * @param {Place} place
 * @param {GateForm} form
 * @param {GateRow | null} gate that is changed
 * @returns {GateDraft}
 */
export function draftOf(place, form, gate) {
  return {
    kind: "gate",
    site: siteAt(place, form.kind, form.label.trim()),
    when: form.when,
    action: form.action,
    factor: form.action === "scale" ? numberIn(form.factor) : null,
    max_norm: form.action === "clip" ? numberIn(form.max_norm) : null,
    hold: form.hold.trim() === "" ? 0 : (numberIn(form.hold) ?? NaN),
    paused: gate?.paused ?? false,
    gate: gate?.id ?? null,
  };
}

/** @param {string} text */
function numberIn(text) {
  const value = Number(text);
  return text.trim() === "" || !Number.isFinite(value) ? null : value;
}

/**
 * What is missing before the job can be asked, or null.
 * @param {GateDraft} draft
 * @returns {string | null}
 */
export function missingIn({ site, when, action, factor, max_norm, hold }) {
  if (site === "site:") return "Give the label that probe.site(x, label) has in the script.";
  if (when.trim() === "") return "Say when it is to be closed, such as norm > 10; True closes it for good.";
  if (action === "scale" && factor === null) return "Give the factor, such as 0.1, or −1 to reverse.";
  if (action === "clip" && !(max_norm !== null && max_norm > 0)) return "Give the largest norm, above 0.";
  if (!(Number.isInteger(hold) && hold >= 0)) return "Hold it closed for a whole number of steps, 0 or more.";
  return null;
}

/**
 * A gate that is there, as a draft: what pausing and resuming send.
 * @param {GateRow} gate
 * @param {boolean} paused
 * @returns {GateDraft}
 */
export function withPaused({ id, site, when, action, factor, max_norm, hold }, paused) {
  return { kind: "gate", site, when, action, factor, max_norm, hold, paused, gate: id };
}
