/**
 * What happened to one parameter: its events, newest first, commands and gates among them.
 *
 * @typedef {import("../wire.js").EventRow} EventRow
 */
import { element, setText } from "../base/dom.js";
import { prose } from "../base/prose.js";
import { getJson } from "../link/api.js";
import { eventSteps, eventWord } from "../model/events.js";

const MOST = 10;
const REFETCH_MS = 2000;

export class OwnEvents {
  /**
   * @param {HTMLElement} list
   * @param {string} api
   * @param {object} handlers
   * @param {(request: () => Promise<void>) => Promise<void>} handlers.guard runs a request, shows its failure
   * @param {(event: EventRow) => void} handlers.onShow the steps around an event are asked for
   * @param {() => void} handlers.onChange
   */
  constructor(list, api, { guard, onShow, onChange }) {
    this.list = list;
    this.api = api;
    this.guard = guard;
    this.onChange = onChange;
    this.name = "";
    /** @type {readonly EventRow[] | null} null before they have come */
    this.rows = null;
    /** What was known of all events when these were asked for. */
    this.of = /** @type {unknown} */ (null);
    this.fetchedAt = -Infinity;
    this.drawn = "";
    list.addEventListener("click", ({ target }) => {
      const button = target instanceof Element ? target.closest("button") : null;
      const row = this.rows?.find(({ id }) => String(id) === button?.dataset["event"]);
      if (row !== undefined) onShow(row);
    });
  }

  /**
   * @param {string} name
   * @param {unknown} events all that is known, which is another thing when there is something new
   */
  render(name, events) {
    if (name !== this.name) {
      this.name = name;
      this.rows = null;
      this.of = null;
      this.fetchedAt = -Infinity;
    }
    if (this.of !== events && performance.now() - this.fetchedAt > REFETCH_MS) void this.#fetch(events);
    const key = JSON.stringify([name, this.rows]);
    if (key === this.drawn) return;
    this.drawn = key;
    if (this.rows === null || this.rows.length === 0) {
      const empty = element("li", { class: "muted" });
      setText(empty, this.rows === null ? "Reading them …" : "Nothing has happened to it: no command, gate, spike or missing gradient.");
      this.list.replaceChildren(empty);
      return;
    }
    this.list.replaceChildren(...this.rows.map(itemOf));
  }

  /** @param {unknown} events */
  async #fetch(events) {
    const { name } = this;
    this.of = events;
    this.fetchedAt = performance.now();
    const query = new URLSearchParams({ parameter: name, limit: String(MOST) });
    await this.guard(async () => {
      const answer = await getJson(`${this.api}/events?${query}`);
      if (name !== this.name) return;
      this.rows = answer.events;
      this.onChange();
    });
  }
}

/** @param {EventRow} event */
function itemOf(event) {
  const steps = eventSteps(event);
  const show = element(
    "button",
    { type: "button", class: "link", "data-event": String(event.id), "aria-label": `Show ${steps} in the heat map`, title: "Show the steps around it in the heat map" },
    steps,
  );
  return element("li", { "data-level": event.level }, element("strong", {}, eventWord(event)), " ", show, " ", ...prose(event.sentence));
}
