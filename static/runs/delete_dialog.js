/**
 * The question before runs are deleted: which, what is lost with them, and which have to stay.
 *
 * @typedef {import("../wire.js").RunRow} RunRow
 */
import { element, find, setAttribute, setText } from "../base/dom.js";
import { formatCount, plural } from "../base/format.js";
import { visible } from "../base/visible.js";
import { runName } from "../model/run_name.js";

const LISTED = 8;

export class DeleteDialog {
  /**
   * @param {HTMLDialogElement} dialog
   * @param {(runs: readonly RunRow[]) => void} onDelete
   */
  constructor(dialog, onDelete) {
    this.dialog = dialog;
    this.primary = find(dialog, ".primary");
    /** @type {readonly RunRow[]} */
    this.runs = [];
    find(dialog, ".cancel").addEventListener("click", () => dialog.close());
    find(dialog, "form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.primary.getAttribute("aria-disabled") === "true") return;
      dialog.close();
      onDelete(this.runs);
    });
  }

  /** @param {readonly RunRow[]} chosen */
  open(chosen) {
    this.runs = chosen.filter(({ status }) => status !== "live");
    const { headline, lost, kept } = deletion(chosen);
    setText(find(this.dialog, "h2"), headline);
    const names = this.runs.slice(0, LISTED).map((run) => element("li", {}, visible(runName(run)), " ", element("span", { class: "muted" }, `step ${formatCount(run.step)}`)));
    if (this.runs.length > LISTED) names.push(element("li", { class: "muted" }, `and ${formatCount(this.runs.length - LISTED)} more`));
    find(this.dialog, "ul").replaceChildren(...names);
    setText(find(this.dialog, ".lost"), lost);
    setText(find(this.dialog, ".kept"), kept);
    setText(this.primary, this.runs.length > 0 ? `Delete ${plural(this.runs.length, "run")}` : "Delete");
    setAttribute(this.primary, "aria-disabled", this.runs.length > 0 ? null : "true");
    this.dialog.showModal();
    find(this.dialog, ".cancel").focus();
  }
}

/**
 * What a deletion is, in words.
 * @param {readonly RunRow[]} chosen
 */
export function deletion(chosen) {
  const runs = chosen.filter(({ status }) => status !== "live");
  const live = chosen.length - runs.length;
  const samples = runs.reduce((sum, run) => sum + run.samples, 0);
  const what = runs.length === 1 ? "it" : "them";
  const one = live === 1;
  return {
    headline: runs.length === 0 ? "No run can be deleted" : `Delete ${plural(runs.length, "run")} for good?`,
    lost:
      runs.length === 0
        ? ""
        : `All that is stored of ${what} goes: ${plural(samples, "sample")}, metrics, events, commands and explanations. It cannot be undone; ` +
          "the page of a run can export it before.",
    kept:
      live === 0
        ? ""
        : `${one ? "One run is" : `${formatCount(live)} runs are`} live and ${one ? "stays" : "stay"}: end ${one ? "its job" : "their jobs"} before ` +
          `${one ? "it is" : "they are"} deleted.`,
  };
}
