/**
 * The job's answer in the gate editor: what is wrong and where, or what the gate would have done.
 *
 * @typedef {import("../wire.js").Trial} Trial
 */
import { element, find, setAttribute, setText } from "../base/dom.js";
import { prose } from "../base/prose.js";
import { visible } from "../base/visible.js";
import { stateGlyph } from "../model/state_glyph.js";
import { stateCode } from "../model/states.js";
import { before, closedWhen, errorWords, verdict, withoutHistory } from "./trial_words.js";

export class TrialView {
  /**
   * @param {HTMLElement} box
   * @param {HTMLInputElement} input of the condition
   */
  constructor(box, input) {
    this.input = input;
    this.answer = find(box, ".answer");
    this.error = find(box, ".error");
    this.marker = find(box, ".marker");
    this.ahead = find(box, ".marker .ahead");
    input.addEventListener("scroll", () => this.#scrollMarker());
  }

  /** Nothing to say: the form is not whole. @param {string} sentence what is missing */
  missing(sentence) {
    this.#wrong(null);
    this.#say(element("p", { class: "muted" }, sentence));
  }

  /** The job is being asked; what it said of the text before stays, dimmed. */
  ask() {
    this.#wrong(null);
    if (this.answer.querySelector(".verdict") === null) this.#say(element("p", { class: "muted" }, "Asking the job …"));
    setAttribute(this.answer, "aria-busy", "true");
  }

  /** @param {Trial} trial */
  show(trial) {
    const { error, closed, notes } = trial;
    this.#wrong(error);
    if (error !== null) {
      this.#say();
      return;
    }
    const never = closed === null || closed.length === 0;
    const text = element("span", {}, element("strong", {}, verdict(trial)), ...[closedWhen(trial)].flatMap((each) => (each === null ? [] : [` ${each}`])));
    const lead = element("p", { class: "verdict" }, ...(never ? [] : [stateGlyph(stateCode("gated"))]), text);
    const more = [withoutHistory(trial), ...notes.map(visible)].filter((each) => each !== null);
    this.#say(lead, ...more.map((each) => element("p", { class: "note" }, each)));
  }

  /** The gate would be refused. @param {string} sentence */
  refuse(sentence) {
    this.#wrong({ message: sentence, column: null });
    this.#say();
  }

  /** The job did not say. @param {string} sentence */
  silent(sentence) {
    this.#wrong(null);
    this.#say(element("p", { class: "silent" }, ...prose(sentence)));
  }

  /** @param {...HTMLElement} parts */
  #say(...parts) {
    this.answer.replaceChildren(...parts);
    setAttribute(this.answer, "aria-busy", null);
  }

  /** @param {Trial["error"]} error */
  #wrong(error) {
    setText(this.error, error === null ? "" : errorWords(error));
    setAttribute(this.input, "aria-invalid", error === null ? null : "true");
    this.marker.hidden = error === null || error.column === null;
    if (error === null || error.column === null) return;
    setText(this.ahead, before(this.input.value, error.column));
    this.#scrollMarker();
  }

  #scrollMarker() {
    this.marker.scrollLeft = this.input.scrollLeft;
  }
}
