/**
 * The list of events: what happened in the run, newest first, until somebody puts it aside.
 *
 * @typedef {import("../wire.js").EventRow} EventRow
 */
import { element } from "../base/dom.js";
import { formatCount, formatTime, plural } from "../base/format.js";
import { Memo } from "../base/memo.js";
import { visible } from "../base/visible.js";
import { eventLabel } from "../model/events.js";

const EMPTY = "Nothing has happened yet: spikes, non-finite and missing gradients, commands and gates are listed here.";
const ALL_ASIDE = "Everything that happened is put aside.";

export class EventList {
  /**
   * @param {HTMLElement} list
   * @param {(event: EventRow, dismissed: boolean) => void} onDismiss
   */
  constructor(list, onDismiss) {
    this.list = list;
    this.showsAll = false;
    /** @type {readonly EventRow[]} */
    this.events = [];
    this.drawn = new Memo();
    list.addEventListener("click", ({ target }) => {
      const button = target instanceof Element && target.closest("button");
      if (!button) return;
      if (button.classList.contains("aside")) this.#toggle();
      const id = Number(button.getAttribute("data-event"));
      const event = this.events.find((each) => each.id === id);
      if (event !== undefined) onDismiss(event, event.dismissed === null);
    });
  }

  /** @param {readonly EventRow[]} events newest first */
  render(events) {
    this.events = events;
    if (!this.drawn.differs(events, this.showsAll)) return;
    const focused = this.list.contains(document.activeElement);
    const shown = events.filter(({ dismissed }) => this.showsAll || dismissed === null);
    const items = shown.map(item);
    if (shown.length === 0) items.push(element("li", { class: "empty" }, events.length === 0 ? EMPTY : ALL_ASIDE));
    const aside = events.length - events.filter(({ dismissed }) => dismissed === null).length;
    if (aside > 0) items.push(element("li", { class: "rest" }, this.#asideButton(aside)));
    this.list.replaceChildren(...items);
    if (focused) this.list.focus();
  }

  #toggle() {
    this.showsAll = !this.showsAll;
    this.render(this.events);
  }

  /** @param {number} count */
  #asideButton(count) {
    const word = this.showsAll ? "Hide" : "Show";
    return element("button", { type: "button", class: "button quiet aside" }, `${word} ${formatCount(count)} put aside`);
  }
}

/** @param {EventRow} event */
function item(event) {
  const { id, kind, level, time, step, last_step, count, sentence, dismissed } = event;
  const aside = dismissed !== null;
  const steps = last_step > step ? `steps ${formatCount(step)} to ${formatCount(last_step)}` : `step ${formatCount(step)}`;
  const facts = [steps, ...(count > 0 ? [plural(count, "parameter")] : []), formatTime(time)];
  const word = aside ? "Take up" : "Put aside";
  const label = `${word}: ${eventLabel(kind)}, ${steps}`;
  return element(
    "li",
    { "data-level": level, ...(aside && { "data-dismissed": "" }) },
    element("strong", { class: "kind" }, eventLabel(kind)),
    element("p", { class: "sentence" }, visible(sentence)),
    element("button", { type: "button", class: "button quiet", "data-event": String(id), "aria-label": label }, word),
    element("p", { class: "event-facts" }, ...facts.map((fact) => element("span", {}, fact))),
  );
}
