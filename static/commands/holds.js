/**
 * The commands that last while this page is open. They are kept for the tab, so that it holds them still
 * once it was loaded anew.
 *
 * @typedef {import("../base/kept.js").Kept} Kept
 */
const MOST = 100;

export class Holds {
  /**
   * @param {string} run
   * @param {Kept} storage of the tab
   */
  constructor(run, storage) {
    this.key = `gradgate-holds-${run}`;
    this.storage = storage;
    /** @type {() => void} */
    this.onChange = () => {};
  }

  /** Their numbers. @returns {number[]} */
  get commands() {
    return JSON.parse(this.storage.getItem(this.key) ?? "[]");
  }

  /** @param {number} command */
  add(command) {
    this.storage.setItem(this.key, JSON.stringify([...this.commands, command].slice(-MOST)));
    this.onChange();
  }
}
