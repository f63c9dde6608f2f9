/**
 * What can be done with the chosen runs: compare, edit, archive, delete. Each button is there always, so
 * that nothing moves, and says why it cannot be used.
 *
 * @typedef {import("../wire.js").RunRow} RunRow
 */
import { barredHere } from "../base/barred.js";
import { find, setAttribute, setText } from "../base/dom.js";
import { plural } from "../base/format.js";
import { compareLink, MOST_RUNS } from "../compare/sides.js";

export class SelectionBar {
  /**
   * @param {HTMLElement} bar
   * @param {object} handlers
   * @param {(run: RunRow) => void} handlers.onEdit
   * @param {(runs: readonly RunRow[], archived: boolean) => void} handlers.onArchive
   * @param {(runs: readonly RunRow[]) => void} handlers.onDelete
   */
  constructor(bar, { onEdit, onArchive, onDelete }) {
    this.count = find(bar, ".chosen");
    this.compare = find(bar, ".compare-chosen");
    this.edit = find(bar, ".edit");
    this.archive = find(bar, ".archive");
    this.remove = find(bar, ".delete");
    /** @type {readonly RunRow[]} */
    this.runs = [];
    this.#act(this.edit, () => onEdit(this.runs[0]));
    this.#act(this.archive, () => onArchive(this.runs, !areArchived(this.runs)));
    this.#act(this.remove, () => onDelete(this.runs));
    this.show([], []);
  }

  /**
   * @param {readonly RunRow[]} chosen
   * @param {readonly RunRow[]} listed
   */
  show(chosen, listed) {
    this.runs = chosen;
    const ids = chosen.map(({ id }) => id);
    const hidden = chosen.filter(({ id }) => !listed.some((run) => run.id === id)).length;
    const note = hidden === 0 ? "" : hidden === chosen.length ? ", not listed" : `, ${hidden} of them not listed`;
    setText(this.count, chosen.length === 0 ? "" : `${plural(chosen.length, "run")} chosen${note}`);
    const comparable = chosen.length > 0 && chosen.length <= MOST_RUNS;
    bar(this.compare, comparable ? "" : `Choose up to ${MOST_RUNS} runs to compare them, or one to compare ranges of its steps.`);
    setAttribute(this.compare, "href", comparable ? compareLink(ids.map((id) => ({ id, range: null }))) : null);
    const barred = barredHere();
    bar(this.edit, barred ?? (chosen.length === 1 ? "" : "Choose one run to change its name, tags and notes."));
    bar(this.archive, barred ?? (chosen.length > 0 ? "" : "Choose the runs that the list is to leave out."));
    setText(this.archive, areArchived(chosen) ? "Unarchive" : "Archive");
    bar(this.remove, barred ?? (chosen.length > 0 ? "" : "Choose the runs to delete."));
  }

  /**
   * @param {HTMLElement} button
   * @param {() => void} act
   */
  #act(button, act) {
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-disabled") !== "true") act();
    });
  }
}

/**
 * @param {HTMLElement} button
 * @param {string} why it cannot be used, or "" when it can
 */
function bar(button, why) {
  setAttribute(button, "aria-disabled", why === "" ? null : "true");
  setAttribute(button, "title", why === "" ? null : why);
}

/** @param {readonly RunRow[]} runs */
function areArchived(runs) {
  return runs.length > 0 && runs.every(({ archived }) => archived);
}
