/** What the panels of a page say before they have anything to show: each names what it waits for, as `data-waits-for`. */
import { setText } from "../base/dom.js";

export class Waiting {
  /** @param {ParentNode} page */
  constructor(page) {
    this.hints = /** @type {HTMLElement[]} */ ([...page.querySelectorAll("[data-waits-for]")]);
  }

  /** @param {{connected: boolean, lostFor: number | null}} live */
  render(live) {
    for (const hint of this.hints) setText(hint, waitingWords(hint.dataset["waitsFor"] ?? "", live));
  }

  /** What is waited for has come: each panel speaks for itself now. */
  end() {
    for (const hint of this.hints) hint.hidden = true;
    this.hints = [];
  }
}

/**
 * @param {string} what is waited for
 * @param {{connected: boolean, lostFor: number | null}} live
 */
export function waitingWords(what, { connected, lostFor }) {
  if (connected) return `Reading ${what} …`;
  return lostFor === null ? "Connecting to the server …" : "No connection to the server: it is tried again and again.";
}
