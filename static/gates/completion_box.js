/**
 * Completion below a text input: a combobox with a list of the names that begin as the word does.
 *
 * The arrows choose and Enter takes what is chosen, Tab the first or the chosen one, Escape closes the
 * list; ArrowDown in a closed list opens it. As long as nothing is chosen, Enter is the form's.
 *
 * @typedef {import("./completion.js").Suggestion} Suggestion
 */
import { element, setAttribute } from "../base/dom.js";
import { completed, suggestions, wordAt } from "./completion.js";

export class CompletionBox {
  /**
   * @param {HTMLInputElement} input
   * @param {HTMLElement} list
   * @param {() => readonly string[]} names that are known beside the language's own
   */
  constructor(input, list, names) {
    this.input = input;
    this.list = list;
    this.names = names;
    /** @type {Suggestion[]} */
    this.found = [];
    this.word = { start: 0, end: 0 };
    this.chosen = -1;
    input.addEventListener("input", () => this.#suggest(false));
    input.addEventListener("blur", () => this.close());
    input.addEventListener("keydown", (event) => this.#key(event));
    // The input keeps the focus: a press on the list is no blur.
    list.addEventListener("pointerdown", (event) => event.preventDefault());
    list.addEventListener("click", (event) => {
      const option = event.target instanceof Element && event.target.closest("[role=option]");
      if (option) this.#take([...list.children].indexOf(option));
    });
  }

  close() {
    this.found = [];
    this.#show();
  }

  /** @param {boolean} asked by hand: an empty word has every name */
  #suggest(asked) {
    const caret = this.input.selectionStart ?? this.input.value.length;
    const word = wordAt(this.input.value, caret);
    this.word = word ?? { start: caret, end: caret };
    this.found = word === null && !asked ? [] : suggestions(word?.prefix ?? "", this.names());
    this.#show();
  }

  #show() {
    const open = this.found.length > 0;
    this.chosen = -1;
    this.list.replaceChildren(...this.found.map(option));
    this.list.hidden = !open;
    setAttribute(this.input, "aria-expanded", String(open));
    setAttribute(this.input, "aria-activedescendant", null);
  }

  /** @param {number} at */
  #choose(at) {
    this.chosen = (at + this.found.length) % this.found.length;
    [...this.list.children].forEach((each, i) => {
      setAttribute(each, "aria-selected", String(i === this.chosen));
      if (i !== this.chosen) return;
      each.scrollIntoView({ block: "nearest" });
      setAttribute(this.input, "aria-activedescendant", each.id);
    });
  }

  /** @param {number} at */
  #take(at) {
    const suggestion = this.found[at];
    if (suggestion === undefined) return;
    const { text, caret } = completed(this.input.value, this.word, suggestion);
    this.input.value = text;
    this.input.setSelectionRange(caret, caret);
    this.input.dispatchEvent(new Event("input", { bubbles: true }));
    this.close();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const open = this.found.length > 0;
    /** @type {Record<string, (() => void) | false>} */
    const actions = {
      ArrowDown: () => (open ? this.#choose(this.chosen + 1) : this.#suggest(true)),
      ArrowUp: open && (() => this.#choose(this.chosen < 0 ? -1 : this.chosen - 1)),
      Enter: open && this.chosen >= 0 && (() => this.#take(this.chosen)),
      Tab: open && (() => this.#take(Math.max(0, this.chosen))),
      Escape: open && (() => this.close()),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }
}

/**
 * @param {Suggestion} suggestion
 * @param {number} i
 */
function option({ name, meaning }, i) {
  return element(
    "li",
    { role: "option", id: `gate-name-${i}`, "aria-selected": "false" },
    element("span", { class: "mono" }, name),
    element("span", { class: "muted" }, meaning),
  );
}
