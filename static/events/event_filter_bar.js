/**
 * The choice of events that are listed: a kind, a level, words, and whether dismissed ones are.
 *
 * @typedef {import("../model/events.js").EventFilter} EventFilter
 */
import { element, find } from "../base/dom.js";
import { eventLabel, KINDS } from "../model/events.js";

/** Letters that follow one another so soon are asked for together. */
const TYPING_MS = 250;

export class EventFilterBar {
  /**
   * @param {HTMLFormElement} form
   * @param {(filter: EventFilter) => void} onChange
   */
  constructor(form, onChange) {
    this.kind = /** @type {HTMLSelectElement} */ (find(form, '[name="kind"]'));
    this.level = /** @type {HTMLSelectElement} */ (find(form, '[name="level"]'));
    this.text = /** @type {HTMLInputElement} */ (find(form, '[name="text"]'));
    this.dismissed = /** @type {HTMLInputElement} */ (find(form, '[name="dismissed"]'));
    this.kind.append(...KINDS.map((kind) => element("option", { value: kind }, eventLabel(kind))));
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.typing = undefined;
    const change = () => {
      clearTimeout(this.typing);
      this.typing = undefined;
      onChange(this.#read());
    };
    form.addEventListener("change", change);
    form.addEventListener("input", ({ target }) => {
      if (target !== this.text) return;
      clearTimeout(this.typing);
      this.typing = setTimeout(change, TYPING_MS);
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      change();
    });
  }

  /** @returns {EventFilter} */
  #read() {
    return { kind: this.kind.value, level: this.level.value, text: this.text.value.trim(), dismissed: this.dismissed.checked };
  }

  /** Show what is chosen; what somebody is typing stays. @param {EventFilter} filter */
  show({ kind, level, text, dismissed }) {
    if (this.typing !== undefined) return;
    if (this.kind.value !== kind) this.kind.value = kind;
    if (this.level.value !== level) this.level.value = level;
    if (this.text.value.trim() !== text) this.text.value = text;
    if (this.dismissed.checked !== dismissed) this.dismissed.checked = dismissed;
  }
}
