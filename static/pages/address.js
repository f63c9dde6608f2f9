/**
 * The page's address, as the view is written in it.
 *
 * A browser takes longer over a new address than the page over a letter of the filter, so of what is
 * typed in one go the rest comes into it a little later, and before the next thing that Back undoes.
 */
const TYPED_MS = 250;
/** Movements over the steps that are closer together, and lead the same way, are one, which Back undoes as one. */
const MOVEMENT_MS = 1200;

export class Address {
  constructor() {
    /** @type {string | null} what was typed, until the browser has it */
    this.typed = null;
    this.written = -Infinity;
    /** @type {string | null} whose movement over the steps the latest entry is, and which way; null where none may go on */
    this.movement = null;
    this.movedAt = -Infinity;
  }

  /** Something was done that Back undoes. @param {string} address */
  push(address) {
    this.#writeTyped();
    this.movement = null;
    if (address === location.pathname + location.search) return;
    history.pushState(null, "", address);
  }

  /**
   * Other steps are shown. What goes on from the movement before is undone with it: the same hand moves on, the
   * same way, soon after. No view is gone over that another hand chose, nor one to which a movement led back.
   * @param {string} address
   * @param {string | null} movement whose it is, and which way it leads; null for steps that were chosen as they are
   */
  move(address, movement) {
    if (address === location.pathname + location.search) return;
    const now = performance.now();
    if (movement !== null && movement === this.movement && now - this.movedAt < MOVEMENT_MS) this.replace(address);
    else this.push(address);
    this.movement = movement;
    this.movedAt = now;
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
    this.movement = null;
    this.typed = null;
  }

  #writeTyped() {
    if (this.typed === null) return;
    this.replace(this.typed);
    this.written = performance.now();
  }
}
