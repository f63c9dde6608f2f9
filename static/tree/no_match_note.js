/**
 * What the tree says where the filter finds nothing: why, and filters near it, which a click takes.
 *
 * @typedef {import("./no_match.js").NoMatch} NoMatch
 */
import { element } from "../base/dom.js";
import { formatCount } from "../base/format.js";
import { visible } from "../base/visible.js";

export class NoMatchNote {
  /**
   * @param {HTMLElement} note
   * @param {(filter: string) => void} onTake
   */
  constructor(note, onTake) {
    this.note = note;
    this.key = "";
    note.addEventListener("click", (event) => {
      const button = event.target instanceof Element && event.target.closest("button");
      if (button instanceof HTMLElement) onTake(button.dataset["filter"] ?? "");
    });
  }

  /** @param {NoMatch | null} found null where there is nothing to explain */
  render(found) {
    const key = JSON.stringify(found);
    if (key === this.key) return;
    this.key = key;
    this.note.hidden = found === null;
    this.note.replaceChildren(...(found === null ? [] : said(found)));
  }
}

/** @param {NoMatch} found */
function said({ reasons, offers }) {
  const lines = reasons.map((reason) => element("p", {}, visible(reason)));
  const buttons = offers.map(({ filter, count }) =>
    element("button", { type: "button", class: "button", "data-filter": filter }, visible(filter), " ", element("span", { class: "count" }, formatCount(count))),
  );
  const all = element("button", { type: "button", class: "button", "data-filter": "" }, "Show all");
  return [...lines, element("p", { class: "offers" }, ...(offers.length > 0 ? ["These find something: "] : []), ...buttons, all)];
}
