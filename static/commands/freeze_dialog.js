/**
 * The question before a freeze or thaw: what it will touch, how it is to be done, and the buttons to
 * go on or leave. It opens with what the page knows and is filled in by the job's answer.
 *
 * @typedef {import("./freeze_question.js").Question} Question
 * @typedef {import("../model/records.js").FreezeDraft} FreezeDraft
 * @typedef {import("../wire.js").Preview} Preview
 */
import { find, setAttribute, setText } from "../base/dom.js";
import { reasonOf, Refusal } from "../link/api.js";
import { changed, consequence, firstDraft, headline, isBarred, knownOf, optionsOf, verb } from "./freeze_question.js";
import { LimitField } from "./limit_field.js";
import { PreviewView } from "./preview_view.js";

const MARGIN = 8;

export class FreezeDialog {
  /**
   * @param {HTMLElement} dialog a `popover="manual"` with a form
   * @param {(draft: FreezeDraft, signal: AbortSignal) => Promise<Preview>} preview asks the job
   */
  constructor(dialog, preview) {
    this.dialog = dialog;
    this.preview = preview;
    this.form = /** @type {HTMLFormElement} */ (find(dialog, "form"));
    this.primary = find(dialog, ".primary");
    this.lasting = new LimitField(find(dialog, ".lasting"));
    this.answer = new PreviewView(find(dialog, ".answer"));
    /** @type {{question: Question, draft: FreezeDraft, anchor: DOMRect, settle: (draft: FreezeDraft | null) => void} | null} */
    this.open = null;
    /** @type {Preview | null} the latest that the job gave */
    this.known = null;
    this.asking = new AbortController();
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.primary.getAttribute("aria-disabled") !== "true") this.#close(this.open?.draft ?? null);
    });
    this.form.addEventListener("change", (event) => this.#changed(/** @type {HTMLInputElement} */ (event.target)));
    find(dialog, ".cancel").addEventListener("click", () => this.close());
    dialog.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("pointerdown", (event) => {
      if (!dialog.contains(/** @type {Node} */ (event.target))) this.close();
    });
    addEventListener("resize", () => this.close());
  }

  /**
   * Ask beside an element.
   * @param {HTMLElement} anchor
   * @param {Question} question
   * @returns {Promise<FreezeDraft | null>} what is to be sent, or null when the person left
   */
  ask(anchor, question) {
    this.close();
    const before = document.activeElement;
    this.known = null;
    return new Promise((resolve) => {
      const settle = (/** @type {FreezeDraft | null} */ draft) => {
        if (before instanceof HTMLElement) before.focus({ preventScroll: true });
        resolve(draft);
      };
      this.lasting.fill(null);
      this.open = { question, draft: firstDraft(question), anchor: anchor.getBoundingClientRect(), settle };
      this.dialog.showPopover();
      this.#ask();
      this.primary.focus();
    });
  }

  /** Leave the question unanswered, if one is asked. */
  close() {
    this.#close(null);
  }

  /** @param {FreezeDraft | null} draft */
  #close(draft) {
    const { open } = this;
    if (open === null) return;
    this.open = null;
    this.asking.abort();
    this.dialog.hidePopover();
    open.settle(draft);
  }

  /** Show what the page knows of the draft, and ask the job anew. */
  async #ask() {
    const { open } = this;
    if (open === null) return;
    this.asking.abort();
    const asking = new AbortController();
    this.asking = asking;
    const { question, draft } = open;
    const known = knownOf(question, draft);
    this.#showDraft(headline(question, draft, known));
    this.answer.ask(known);
    this.#place();
    try {
      const preview = await this.preview(draft, asking.signal);
      if (asking.signal.aborted) return;
      this.known = preview;
      this.#showDraft(headline(question, draft, preview));
      if (isBarred(preview)) setAttribute(this.primary, "aria-disabled", "true");
      this.answer.show(preview);
    } catch (error) {
      if (asking.signal.aborted) return;
      this.#unanswered(error, known);
    }
    this.#place();
  }

  /**
   * @param {unknown} error
   * @param {import("./freeze_preview.js").Touched} known
   */
  #unanswered(error, known) {
    const sentence = reasonOf(error);
    if (error instanceof Refusal) {
      setAttribute(this.primary, "aria-disabled", "true");
      this.answer.refuse(sentence);
    } else this.answer.silent(sentence, known);
  }

  /** @param {string} question */
  #showDraft(question) {
    const { open, form, dialog } = this;
    if (open === null) return;
    const { draft } = open;
    setText(find(dialog, ".question"), question);
    const { missing } = this.lasting;
    setText(find(dialog, ".consequence"), missing ?? consequence(draft));
    setText(this.primary, verb(draft));
    setAttribute(this.primary, "aria-disabled", missing === null ? null : "true");
    const options = optionsOf(open.question, draft, this.known);
    for (const [name, offered] of Object.entries(options)) find(form, `[data-option="${name}"]`).hidden = !offered;
    for (const input of form.querySelectorAll("input:is([type=radio], [type=checkbox])")) {
      if (!(input instanceof HTMLInputElement)) continue;
      const value = draft[/** @type {keyof FreezeDraft} */ (input.name)];
      input.checked = input.type === "radio" ? input.value === value : value === true;
    }
  }

  /** @param {HTMLInputElement} input */
  #changed(input) {
    if (this.open === null) return;
    const { question, draft } = this.open;
    if (this.lasting.takes(input)) this.open.draft = changed(question, draft, "limit", this.lasting.limit);
    else {
      this.open.draft = changed(question, draft, input.name, input.type === "radio" ? input.value : input.checked);
      if (input.name === "kind") this.lasting.fill(null);
    }
    this.#ask();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    event.stopPropagation();
    if (event.key === "Escape") this.close();
    // The Enter that opened the question and is still held down does not answer it.
    else if (event.key === "Enter" && event.repeat) event.preventDefault();
    else if (event.key === "Tab") this.#wrap(event);
  }

  /**
   * The focus goes round inside the question: what is behind it is another place on the page.
   * @param {KeyboardEvent} event
   */
  #wrap(event) {
    const stops = [...this.form.querySelectorAll("input, select, button")].filter(
      (each) =>
        each instanceof HTMLElement &&
        each.checkVisibility() &&
        !(each instanceof HTMLInputElement && each.type === "radio" && !each.checked),
    );
    const [from, to] = event.shiftKey ? [stops[0], stops[stops.length - 1]] : [stops[stops.length - 1], stops[0]];
    if (document.activeElement !== from || !(to instanceof HTMLElement)) return;
    event.preventDefault();
    to.focus();
  }

  /** Below the anchor, or above it where there is more room; always inside the window. */
  #place() {
    if (this.open === null) return;
    const { anchor } = this.open;
    const { offsetWidth: width, offsetHeight: height } = this.dialog;
    const left = Math.min(anchor.left - 24, innerWidth - width - MARGIN);
    const roomBelow = innerHeight - anchor.bottom;
    const below = height + 2 * MARGIN <= roomBelow || roomBelow >= anchor.top;
    const top = below ? Math.min(anchor.bottom + 6, innerHeight - height - MARGIN) : anchor.top - height - 6;
    this.dialog.style.left = `${Math.max(MARGIN, left)}px`;
    this.dialog.style.top = `${Math.max(MARGIN, top)}px`;
  }
}
