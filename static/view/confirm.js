/**
 * The question before a command: what it will touch, and the buttons to go on or leave.
 *
 * @typedef {object} Question
 * @property {string} question
 * @property {string} consequence
 * @property {readonly {label: string, answer: string}[]} actions the first is the primary one
 */
import { element, find } from "./dom.js";

export class Confirmation {
  /** @param {HTMLElement} dialog a `popover="manual"` */
  constructor(dialog) {
    this.dialog = dialog;
    /** @type {((answer: string | null) => void) | null} */
    this.settle = null;
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
      event.stopPropagation();
    });
    dialog.addEventListener("click", (event) => {
      const button = event.target instanceof Element && event.target.closest("[data-answer]");
      if (button) this.#close(button.getAttribute("data-answer"));
    });
    document.addEventListener("pointerdown", (event) => {
      if (!dialog.contains(/** @type {Node} */ (event.target))) this.close();
    });
    addEventListener("resize", () => this.close());
  }

  /**
   * Ask beside an element.
   * @param {HTMLElement} anchor
   * @param {Question} asked
   * @returns {Promise<string | null>} the answer, or null when the person left
   */
  ask(anchor, { question, consequence, actions }) {
    this.close();
    const before = document.activeElement;
    find(this.dialog, ".question").textContent = question;
    find(this.dialog, ".consequence").textContent = consequence;
    const buttons = actions.map(({ label, answer }, i) =>
      element(
        "button",
        { type: "button", class: i === 0 ? "button primary" : "button", "data-answer": answer },
        label,
      ),
    );
    const cancel = element("button", { type: "button", class: "button", "data-answer": "" }, "Cancel");
    find(this.dialog, ".actions").replaceChildren(cancel, ...buttons.reverse());
    this.dialog.showPopover();
    this.#place(anchor.getBoundingClientRect());
    find(this.dialog, ".primary").focus();
    return new Promise((resolve) => {
      this.settle = (answer) => {
        if (before instanceof HTMLElement) before.focus({ preventScroll: true });
        resolve(answer || null);
      };
    });
  }

  /** @param {DOMRect} anchor */
  #place(anchor) {
    const { offsetWidth: width, offsetHeight: height } = this.dialog;
    const left = Math.min(Math.max(8, anchor.left - 24), innerWidth - width - 8);
    const below = anchor.bottom + 6;
    const top = below + height > innerHeight - 8 ? anchor.top - height - 6 : below;
    this.dialog.style.left = `${left}px`;
    this.dialog.style.top = `${Math.max(8, top)}px`;
  }

  /** Leave the question unanswered, if one is asked. */
  close() {
    this.#close(null);
  }

  /** @param {string | null} answer */
  #close(answer) {
    const { settle } = this;
    if (settle === null) return;
    this.settle = null;
    this.dialog.hidePopover();
    settle(answer);
  }
}
