/**
 * The form of the gate editor: its inputs, filled from a gate and read as a draft.
 *
 * @typedef {import("../model/gate_sites.js").SiteKind} SiteKind
 * @typedef {import("../model/records.js").GateAction} GateAction
 * @typedef {import("../model/records.js").GateDraft} GateDraft
 * @typedef {import("../model/records.js").GateRow} GateRow
 * @typedef {import("./site_offer.js").SiteOffer} SiteOffer
 */
import { element, find, setAttribute, setText } from "../base/dom.js";
import { actionOfField } from "../model/gate_actions.js";
import { siteWords } from "../model/gate_sites.js";
import { LimitField } from "../commands/limit_field.js";
import { draftOf, formOf, missingIn } from "./gate_draft.js";
import { kindsAt, siteAt } from "./site_offer.js";

const TEXTS = /** @type {const} */ (["label", "when", "factor", "max_norm", "hold"]);

export class GateForm {
  /** @param {HTMLFormElement} form */
  constructor(form) {
    this.form = form;
    this.when = this.#input("when");
    this.lasting = new LimitField(find(form, ".lasting"));
  }

  /**
   * @param {SiteOffer} offer
   * @param {GateRow | null} gate that is changed, or null for a new one
   * @param {readonly string[]} labels of sites that are known
   */
  fill(offer, gate, labels) {
    const filled = formOf(offer, gate);
    const kinds = kindsAt(offer);
    for (const option of this.form.querySelectorAll("[data-place]")) {
      const kind = /** @type {SiteKind} */ (option.getAttribute("data-place"));
      setAttribute(option, "hidden", kinds.includes(kind) ? null : "");
      if (kind !== "site" && kinds.includes(kind)) setText(find(option, ".site"), siteWords(siteAt(offer, kind, "")));
    }
    this.#check("kind", filled.kind);
    this.#check("action", filled.action);
    for (const name of TEXTS) this.#input(name).value = filled[name];
    this.lasting.fill(gate?.limit ?? null);
    find(this.form, "datalist").replaceChildren(...labels.map((value) => element("option", { value })));
  }

  /**
   * What the form asks for now.
   * @param {SiteOffer} offer
   * @param {GateRow | null} gate
   */
  draft(offer, gate) {
    const data = new FormData(this.form);
    const text = (/** @type {string} */ name) => String(data.get(name) ?? "");
    const form = {
      kind: /** @type {SiteKind} */ (text("kind")),
      label: text("label"),
      when: text("when"),
      action: /** @type {GateAction} */ (text("action")),
      factor: text("factor"),
      max_norm: text("max_norm"),
      hold: text("hold"),
    };
    return { ...draftOf(offer, form, gate), limit: this.lasting.limit };
  }

  /** What is yet to be said, or null. @param {GateDraft} draft */
  missing(draft) {
    return missingIn(draft) ?? this.lasting.missing;
  }

  /** An input was edited: the number of an action, or a label, chooses what it belongs to. @param {HTMLInputElement} input */
  choose(input) {
    const { name } = input;
    this.lasting.takes(input);
    const action = actionOfField(name);
    if (action !== null) this.#check("action", action);
    if (name === "label") this.#check("kind", "site");
  }

  /** @param {string} name */
  #input(name) {
    const found = this.form.elements.namedItem(name);
    if (!(found instanceof HTMLInputElement)) throw new Error(`no input called ${name}`);
    return found;
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  #check(name, value) {
    for (const each of this.form.querySelectorAll(`input[type=radio][name=${name}]`)) {
      if (each instanceof HTMLInputElement) each.checked = each.value === value;
    }
  }
}
