/**
 * The page's address, as the view is written in it.
 *
 * A browser takes longer over a new address than the page over a letter of the filter, so of what is
 * typed in one go the rest comes into it a little later, and before the next thing that Back undoes.
 */
const TYPED_MS = 250;

export class Address {
  constructor() {
    /** @type {string | null} what was typed, until the browser has it */
    this.typed = null;
    this.written = -Infinity;
  }

  /** Something was done that Back undoes. @param {string} address */
  push(address) {
    this.#writeTyped();
    if (address !== location.pathname + location.search) history.pushState(null, "", address);
  }

  /** A small thing was done, which Back does not undo by itself. @param {string} address */
  replace(address) {
    this.typed = null;
    history.replaceState(null, "", address);
  }

  /** A letter was typed. @param {string} address */
  type(address) {
    this.typed = address;
    const due = this.written + TYPED_MS - performance.now();
    if (due <= 0) this.#writeTyped();
    else setTimeout(() => this.#writeTyped(), due);
  }

  /** Back or Forward was pressed: what was typed before belongs to another address. */
  turn() {
    this.typed = null;
  }

  #writeTyped() {
    if (this.typed === null) return;
    this.replace(this.typed);
    this.written = performance.now();
  }
}
