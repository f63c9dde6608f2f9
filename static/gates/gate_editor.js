/**
 * The editor of a gate: where it stands, when it is closed and what it does then. The job checks the
 * condition while it is written, and says what the gate would have done so far.
 *
 * @typedef {import("../model/records.js").GateDraft} GateDraft
 * @typedef {import("../model/records.js").GateRow} GateRow
 * @typedef {import("../wire.js").Trial} Trial
 * @typedef {import("./site_offer.js").SiteOffer} SiteOffer
 * @typedef {import("./trial_chart.js").TrialChart} TrialChart
 *
 * @typedef {object} EditedGate
 * @property {SiteOffer} offer
 * @property {readonly GateRow[]} gates that stand here
 * @property {GateRow | null} gate that is changed, or null for a new one
 * @property {readonly string[]} labels of sites that are known
 *
 * @typedef {object} EditorHandlers
 * @property {(draft: GateDraft, signal: AbortSignal) => Promise<Trial>} trial
 * @property {(draft: GateDraft) => Promise<void>} send throws what the server refuses
 * @property {() => readonly string[]} names of metrics, as conditions have them
 * @property {(gate: GateRow | null) => void} onSwitch another gate of this place is to be edited
 */
import { element, find, setAttribute, setText } from "../base/dom.js";
import { reasonOf, Refusal } from "../link/api.js";
import { ruleWords } from "../model/gate_words.js";
import { CompletionBox } from "./completion_box.js";
import { closingConsequence } from "./gate_draft.js";
import { GateForm } from "./gate_form.js";
import { TrialView } from "./trial_view.js";

const QUIET_MS = 250;

export class GateEditor {
  /**
   * @param {HTMLDialogElement} dialog
   * @param {TrialChart} chart
   * @param {EditorHandlers} handlers
   */
  constructor(dialog, chart, handlers) {
    this.dialog = dialog;
    this.chart = chart;
    this.handlers = handlers;
    const form = /** @type {HTMLFormElement} */ (find(dialog, "form"));
    this.form = new GateForm(form);
    this.primary = find(dialog, ".primary");
    /** @type {string[]} that the job told of */
    this.known = [];
    this.completion = new CompletionBox(this.form.when, find(dialog, "[role=listbox]"), () => [
      ...handlers.names(),
      ...this.known,
    ]);
    this.trial = new TrialView(dialog, this.form.when);
    /** @type {EditedGate | null} */
    this.subject = null;
    /** @type {string | null} */
    this.locked = null;
    this.wrong = false;
    this.asking = new AbortController();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.quiet = undefined;
    /** @type {Promise<void>} settled when the job has answered what is in the form */
    this.answered = Promise.resolve();
    form.addEventListener("input", (event) => this.#edited(/** @type {HTMLInputElement} */ (event.target)));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    find(dialog, ".cancel").addEventListener("click", () => this.close());
    find(dialog, ".gates-here").addEventListener("click", (event) => this.#switch(event));
    dialog.addEventListener("close", () => this.#left());
    dialog.addEventListener("keydown", (event) => {
      event.stopPropagation();
      // The Enter that opened the editor and is still held down does not send the gate.
      if (event.key === "Enter" && event.repeat) event.preventDefault();
    });
  }

  /** @param {EditedGate} subject */
  open(subject) {
    this.subject = subject;
    this.known = [];
    this.#fill(subject);
    if (!this.dialog.open) this.dialog.showModal();
    this.form.when.focus();
    this.form.when.select();
    this.#changed(0);
  }

  close() {
    if (this.dialog.open) this.dialog.close();
  }

  /**
   * What is written stays while it cannot be sent.
   * @param {string | null} reason
   */
  lock(reason) {
    if (reason === this.locked) return;
    this.locked = reason;
    this.#showPrimary();
  }

  #left() {
    this.subject = null;
    this.completion.close();
    clearTimeout(this.quiet);
    this.asking.abort();
  }

  /** @param {EditedGate} subject */
  #fill({ offer, gate, gates, labels }) {
    setText(find(this.dialog, ".title"), gate === null ? "New gate" : `Gate ${gate.id}`);
    this.form.fill(offer, gate, labels);
    const here = find(this.dialog, ".gates-here");
    here.hidden = gates.length === 0;
    here.replaceChildren(...gates.map((each) => gateButton(each, each.id === gate?.id)), newButton(gate === null));
  }

  /** @param {HTMLInputElement} input */
  #edited(input) {
    this.form.choose(input);
    this.#changed(input.type === "radio" ? 0 : QUIET_MS);
  }

  /** @param {number} delay ms without a change before the job is asked */
  #changed(delay) {
    const { subject } = this;
    if (subject === null) return;
    const draft = this.form.draft(subject.offer, subject.gate);
    setText(find(this.dialog, ".consequence"), closingConsequence(draft));
    clearTimeout(this.quiet);
    this.asking.abort();
    this.wrong = false;
    const missing = this.form.missing(draft);
    if (missing !== null) {
      this.wrong = true;
      this.trial.missing(missing);
      this.chart.hide();
    } else {
      this.trial.ask();
      this.asking = new AbortController();
      const { signal } = this.asking;
      this.answered = new Promise((resolve) => {
        this.quiet = setTimeout(() => this.#ask(draft, signal).then(resolve), delay);
      });
    }
    this.#showPrimary();
  }

  /**
   * @param {GateDraft} draft
   * @param {AbortSignal} signal
   */
  async #ask(draft, signal) {
    try {
      const trial = await this.handlers.trial(draft, signal);
      if (signal.aborted) return;
      this.known = trial.names;
      this.wrong = trial.error !== null;
      this.trial.show(trial);
      this.#showPrimary();
      if (this.wrong) this.chart.hide();
      else await this.chart.show(draft, trial, signal);
    } catch (error) {
      if (!signal.aborted) this.#unanswered(error);
    }
  }

  /** @param {unknown} error */
  #unanswered(error) {
    const sentence = reasonOf(error);
    this.chart.hide();
    this.wrong = error instanceof Refusal;
    if (this.wrong) this.trial.refuse(sentence);
    else this.trial.silent(sentence);
    this.#showPrimary();
  }

  async #send() {
    const { subject } = this;
    if (subject === null) return;
    const draft = this.form.draft(subject.offer, subject.gate);
    if (this.form.missing(draft) === null) await this.answered;
    if (this.subject !== subject || this.wrong || this.locked !== null) return;
    try {
      await this.handlers.send(draft);
      this.close();
    } catch (error) {
      this.#unanswered(error);
    }
  }

  #showPrimary() {
    const barred = this.wrong || this.locked !== null;
    setText(this.primary, this.subject?.gate ? "Change gate" : "Make gate");
    setAttribute(this.primary, "aria-disabled", barred ? "true" : null);
    setAttribute(this.primary, "title", this.locked);
  }

  /** @param {MouseEvent} event */
  #switch(event) {
    const button = event.target instanceof Element && event.target.closest("[data-gate]");
    if (!button || this.subject === null) return;
    const id = Number(button.getAttribute("data-gate"));
    this.handlers.onSwitch(this.subject.gates.find((gate) => gate.id === id) ?? null);
  }
}

/**
 * @param {GateRow} gate
 * @param {boolean} pressed
 */
function gateButton(gate, pressed) {
  const { verb, object } = ruleWords(gate);
  const title = `${verb} ${object}`;
  return element(
    "button",
    { type: "button", class: "button", "data-gate": String(gate.id), "aria-pressed": String(pressed), title },
    `Gate ${gate.id}`,
  );
}

/** @param {boolean} pressed */
function newButton(pressed) {
  return element("button", { type: "button", class: "button", "data-gate": "", "aria-pressed": String(pressed) }, "New gate");
}
