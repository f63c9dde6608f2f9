/**
 * The gate that a person is writing: what the form says, and what is yet wrong with its shape.
 * Whether the condition is good is the job's to say.
 *
 * @typedef {import("../model/records.js").GateAction} GateAction
 * @typedef {import("../model/records.js").GateDraft} GateDraft
 * @typedef {import("../model/records.js").GateRow} GateRow
 * @typedef {import("../model/records.js").GateRule} GateRule
 * @typedef {import("./site_offer.js").SiteOffer} SiteOffer
 * @typedef {import("../model/gate_sites.js").SiteKind} SiteKind
 *
 * @typedef {object} GateFields as the inputs hold it
 * @property {SiteKind} kind
 * @property {string} label
 * @property {string} when
 * @property {GateAction} action
 * @property {string} factor
 * @property {string} max_norm
 * @property {string} hold
 */
import { actionOf, numberOf } from "../model/gate_actions.js";
import { parseSite, siteWords } from "../model/gate_sites.js";
import { kindsAt, siteAt } from "./site_offer.js";

const NO_NUMBER = Object.freeze({ factor: null, max_norm: null });

/**
 * The form of a gate that is there, or of a new one.
 * @param {SiteOffer} offer
 * @param {GateRow | null} gate
 * @returns {GateFields}
 */
export function formOf(offer, gate) {
  const text = (/** @type {number | null | undefined} */ value) => (value == null ? "" : String(value));
  const { kind, name } = gate === null ? { kind: kindsAt(offer)[0], name: "" } : parseSite(gate.site);
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
 * @param {SiteOffer} offer
 * @param {GateFields} form
 * @param {GateRow | null} gate that is changed
 * @returns {GateDraft}
 */
export function draftOf(offer, form, gate) {
  const { field } = actionOf(form.action);
  return {
    kind: "gate",
    site: siteAt(offer, form.kind, form.label.trim()),
    when: form.when,
    action: form.action,
    ...NO_NUMBER,
    ...(field === null ? {} : { [field]: numberIn(form[field]) }),
    hold: form.hold.trim() === "" ? 0 : (numberIn(form.hold) ?? NaN),
    paused: gate?.paused ?? false,
    gate: gate?.id ?? null,
    limit: gate?.limit ?? null,
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
export function missingIn(draft) {
  const { site, when, action, hold } = draft;
  if (site === "site:") return "Give the label that probe.site(x, label) has in the script.";
  if (when.trim() === "") return "Say when it is to be closed, such as norm > 10; True closes it for good.";
  const number = actionOf(action).missing(numberOf(draft));
  if (number !== null) return number;
  if (!(Number.isInteger(hold) && hold >= 0)) return "Hold it closed for a whole number of steps, 0 or more.";
  return null;
}

/**
 * A gate that is there, as a draft: what pausing and resuming send.
 * @param {GateRow} gate
 * @param {boolean} paused
 * @returns {GateDraft}
 */
export function withPaused({ id, site, when, action, factor, max_norm, hold, limit = null }, paused) {
  return { kind: "gate", site, when, action, factor, max_norm, hold, paused, gate: id, limit };
}

/**
 * What a gate will do while it is closed.
 * @param {GateRule} rule
 */
export function closingConsequence(rule) {
  return actionOf(rule.action).consequence({ kind: parseSite(rule.site).kind, words: at(rule) });
}

/** @param {GateRule} rule */
function at({ site }) {
  const words = siteWords(site);
  const { kind, name } = parseSite(site);
  if (name === "" && kind === "site") return "the site";
  return kind === "output" || kind === "input" ? `the ${words}` : words;
}
