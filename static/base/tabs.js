/** The tabs over the lines: one is chosen, by a click or an arrow key, and only that one is in the tab order. */
import { setAttribute } from "./dom.js";

export class Tabs {
  /**
   * @param {HTMLElement} list
   * @param {(tab: string) => void} onChoose
   */
  constructor(list, onChoose) {
    this.buttons = /** @type {HTMLElement[]} */ ([...list.querySelectorAll("[data-tab]")]);
    for (const button of this.buttons) {
      button.addEventListener("click", () => onChoose(button.dataset["tab"] ?? ""));
    }
    list.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {string} tab the chosen one */
  show(tab) {
    for (const button of this.buttons) {
      const chosen = button.dataset["tab"] === tab;
      setAttribute(button, "aria-selected", String(chosen));
      setAttribute(button, "tabindex", chosen ? "0" : "-1");
    }
  }

  /** @param {KeyboardEvent} event */
  #key({ key, target }) {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[key];
    const at = this.buttons.findIndex((button) => button === target);
    if (way === undefined || at < 0) return;
    const next = this.buttons[(at + way + this.buttons.length) % this.buttons.length];
    next.click();
    next.focus();
  }
}
