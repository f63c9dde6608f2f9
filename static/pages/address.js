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
    /** Is the latest entry that of a movement over the steps, which may go on? */
    this.moving = false;
  }

  /** Something was done that Back undoes. @param {string} address */
  push(address) {
    this.#writeTyped();
    this.moving = false;
    if (address === location.pathname + location.search) return;
    history.pushState(null, "", address);
  }

  /**
   * Other steps are shown; what goes on from the movement before is undone with it.
   * @param {string} address
   * @param {boolean} goesOn
   */
  move(address, goesOn) {
    if (address === location.pathname + location.search) return;
    if (goesOn && this.moving) this.replace(address);
    else this.push(address);
    this.moving = true;
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
    this.moving = false;
    this.typed = null;
  }

  #writeTyped() {
    if (this.typed === null) return;
    this.replace(this.typed);
    this.written = performance.now();
  }
}
