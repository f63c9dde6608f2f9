/**
 * The list of events, newest first: when and where each happened, of what, and what can be done with it.
 *
 * @typedef {import("../wire.js").EventRow} EventRow
 * @typedef {import("./event_pages.js").EventPages} EventPages
 *
 * @typedef {object} EventActions
 * @property {(event: EventRow) => void} onShow the steps around it are asked for
 * @property {(name: string) => void} onSelect
 * @property {(event: EventRow, dismissed: boolean) => void} onDismiss
 * @property {() => void} onEnd the end of the list came into sight
 */
import { barredHere } from "../base/barred.js";
import { arrange, element, goToItem, setAttribute } from "../base/dom.js";
import { formatCount, formatTime } from "../base/format.js";
import { prose } from "../base/prose.js";
import { visible } from "../base/visible.js";
import { eventSteps, eventWord } from "../model/events.js";
import { MOST } from "./event_pages.js";

const NAMED = 3;
const NOTHING = "Nothing has happened yet: spikes, non-finite and missing gradients, commands and gates are listed here.";
const NONE_FOUND = "No event is like this. Dismissed ones are listed when they are asked for.";

/**
 * @typedef {{row: EventRow, known: boolean, item: HTMLElement}} Drawn
 * @typedef {{button: HTMLElement, does: string | undefined, event: string | undefined, place: number}} Focused
 */

export class EventList {
  /**
   * @param {HTMLElement} list
   * @param {EventActions} actions
   */
  constructor(list, actions) {
    this.list = list;
    this.actions = actions;
    /** @type {Map<number, Drawn>} by the event's id */
    this.drawn = new Map();
    /** @type {number | null} the event to go to as soon as it is listed */
    this.sought = null;
    this.end = element("li", { class: "end" });
    list.addEventListener("click", ({ target }) => this.#click(target));
    const seen = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && actions.onEnd(), { root: list, rootMargin: "100px" });
    seen.observe(this.end);
  }

  /**
   * @param {EventPages} pages
   * @param {number | null} current the event that is shown in the charts
   * @param {ReadonlySet<string>} names of the parameters that there are now
   */
  render(pages, current, names) {
    const focused = this.#focused();
    /** @type {Map<number, Drawn>} */
    const drawn = new Map();
    for (const row of pages.rows) drawn.set(row.id, this.#drawnOf(row, row.parameters.some((name) => names.has(name))));
    for (const [id, { item }] of drawn) setAttribute(item, "aria-current", id === current ? "true" : null);
    this.drawn = drawn;
    const sentence = endOf(pages);
    if (this.end.textContent !== sentence) this.end.textContent = sentence;
    arrange(this.list, [...[...drawn.values()].map(({ item }) => item), this.end]);
    if (focused !== null) this.#focusAgain(focused);
    this.#goToSought();
    // What a filter does not list is not gone to some time later.
    if (!pages.loading) this.sought = null;
  }

  /** Scroll to an event, and put the focus on it. @param {number} id */
  goTo(id) {
    this.sought = id;
    this.#goToSought();
  }

  #goToSought() {
    const item = this.sought === null ? undefined : this.drawn.get(this.sought)?.item;
    if (item === undefined) return;
    this.sought = null;
    goToItem(item);
  }

  /** @param {EventRow} row @param {boolean} known @returns {Drawn} */
  #drawnOf(row, known) {
    const before = this.drawn.get(row.id);
    if (before !== undefined && before.known === known && JSON.stringify(before.row) === JSON.stringify(row)) return before;
    return { row, known, item: itemOf(row, known) };
  }

  /** @param {EventTarget | null} target */
  #click(target) {
    const button = target instanceof Element && target.closest("button");
    if (!(button instanceof HTMLElement)) return;
    const row = this.drawn.get(Number(button.closest("li")?.dataset["event"]))?.row;
    if (row === undefined) return;
    const { does, name } = button.dataset;
    if (does === "show") this.actions.onShow(row);
    if (does === "select") this.actions.onSelect(name ?? "");
    if (does === "dismiss") this.actions.onDismiss(row, row.dismissed === null);
  }

  /** The button with the focus: what it does, and in which place of the list. @returns {Focused | null} */
  #focused() {
    const button = document.activeElement;
    if (!(button instanceof HTMLElement) || !this.list.contains(button)) return null;
    const item = button.closest("li");
    return { button, does: button.dataset["does"], event: item?.dataset["event"], place: [...this.list.children].findIndex((each) => each === item) };
  }

  /** The focus stays at its event; when that is gone it goes to the one in its place. @param {Focused} focused */
  #focusAgain({ button, does, event, place }) {
    if (button.isConnected) return;
    const items = /** @type {HTMLElement[]} */ ([...this.list.children]);
    const item = items.find((each) => each.dataset["event"] === event) ?? items[Math.min(place, items.length - 2)];
    const again = item?.querySelector(`[data-does="${does}"]`);
    if (again instanceof HTMLElement) again.focus({ preventScroll: true });
    else this.list.focus({ preventScroll: true });
  }
}

/** @param {EventPages} pages */
function endOf({ rows, loading, complete, full, filter }) {
  if (full) return `The latest ${formatCount(MOST)} are listed: choose a kind, a level or a word to find older ones.`;
  if (loading) return "Looking for events …";
  if (!complete) return "Older ones are fetched as you scroll.";
  if (rows.length > 0) return "";
  const asked = filter !== null && (filter.kind !== "" || filter.level !== "" || filter.text !== "" || !filter.dismissed);
  return asked ? NONE_FOUND : NOTHING;
}

/**
 * @param {EventRow} event
 * @param {boolean} known is one of its parameters there now?
 */
function itemOf(event, known) {
  const { id, level, time, count, sentence, dismissed, parameters } = event;
  const steps = eventSteps(event);
  const about = `${eventWord(event)}, ${steps}`;
  const word = dismissed === null ? "Dismiss" : "Undo";
  const said = dismissed === null ? `Dismiss: ${about}` : `Undo the dismissal: ${about}`;
  const barred = barredHere();
  const named = known ? parameters.slice(0, NAMED) : [];
  const more = count - named.length;
  return element(
    "li",
    { "data-event": String(id), "data-level": level, ...(dismissed !== null && { "data-dismissed": "" }) },
    element("strong", { class: "kind" }, eventWord(event), element("span", { class: "visually-hidden" }, `, ${level}`)),
    element("p", { class: "sentence" }, ...prose(sentence)),
    button("dismiss", word, { "aria-label": said, ...(barred !== null && { disabled: "", title: barred }) }),
    element(
      "p",
      { class: "event-facts" },
      element("time", { datetime: new Date(time * 1000).toISOString() }, formatTime(time)),
      button("show", steps, { "aria-label": `Show ${steps} in the heat map`, title: "Show the steps around it in the heat map" }),
      ...named.map((name) => button("select", visible(name), { "data-name": name, title: `Select ${visible(name)}` })),
      ...(named.length > 0 && more > 0 ? [element("span", {}, `and ${formatCount(more)} more`)] : []),
    ),
  );
}

/**
 * @param {string} does
 * @param {string} text
 * @param {Record<string, string>} attributes
 */
function button(does, text, attributes) {
  return element("button", { type: "button", class: "button quiet", "data-does": does, ...attributes }, text);
}
