/**
 * The dialog that changes a run's name, tags and notes; it stays open, with all that was typed, until the
 * server has taken it.
 *
 * @typedef {import("../wire.js").RunRow} RunRow
 * @typedef {{name: string, tags: string[], notes: string}} Described
 */
import { find, setText } from "../base/dom.js";
import { reasonOf } from "../link/api.js";

export class EditDialog {
  /**
   * @param {HTMLDialogElement} dialog
   * @param {(run: RunRow, described: Described) => Promise<void>} save
   */
  constructor(dialog, save) {
    this.dialog = dialog;
    this.save = save;
    this.form = /** @type {HTMLFormElement} */ (find(dialog, "form"));
    this.error = find(dialog, ".error");
    /** @type {RunRow | null} */
    this.run = null;
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
    find(dialog, ".cancel").addEventListener("click", () => dialog.close());
  }

  /** @param {RunRow} run */
  open(run) {
    this.run = run;
    this.#field("name").value = run.name;
    this.#field("tags").value = run.tags.join(", ");
    this.#field("notes").value = run.notes;
    this.#fail("");
    this.dialog.showModal();
  }

  async #submit() {
    if (this.run === null) return;
    const described = {
      name: this.#field("name").value.trim(),
      tags: tagsOf(this.#field("tags").value),
      notes: this.#field("notes").value,
    };
    try {
      await this.save(this.run, described);
      this.dialog.close();
    } catch (error) {
      this.#fail(reasonOf(error));
    }
  }

  /** @param {string} name */
  #field(name) {
    return /** @type {HTMLInputElement | HTMLTextAreaElement} */ (this.form.elements.namedItem(name));
  }

  /** @param {string} why */
  #fail(why) {
    this.error.hidden = why === "";
    setText(this.error, why);
  }
}

/**
 * Tags as a person writes them, with commas between them; each once.
 * @param {string} text
 */
export function tagsOf(text) {
  return [...new Set(text.split(",").map((tag) => tag.trim()).filter(Boolean))];
}
