/**
 * Everything about events on a run's page: the list, what it is narrowed to, and what tells of new ones.
 *
 * @typedef {import("../model/run_state.js").RunState} RunState
 * @typedef {import("../model/events.js").EventFilter} EventFilter
 * @typedef {import("../wire.js").EventRow} EventRow
 */
import { byId, element, setText } from "../base/dom.js";
import { formatCount } from "../base/format.js";
import { Memo } from "../base/memo.js";
import { getJson, postJson } from "../link/api.js";
import { eventSteps, eventWord, openAlertsOf } from "../model/events.js";
import { EventFilterBar } from "./event_filter_bar.js";
import { EventList } from "./event_list.js";
import { EventPages } from "./event_pages.js";
import { Notifier } from "./notifier.js";

export class EventControl {
  /**
   * @param {string} api
   * @param {RunState} state
   * @param {object} handlers
   * @param {(request: () => Promise<void>) => Promise<void>} handlers.guard runs a request until it succeeds, shows its failure
   * @param {(request: () => Promise<void>) => Promise<void>} handlers.guardChange runs once what a person asked for, shows its failure
   * @param {(event: EventRow) => void} handlers.onShow the steps around an event are asked for
   * @param {(name: string) => void} handlers.onSelect
   * @param {(filter: EventFilter) => void} handlers.onFilter
   * @param {() => void} handlers.onChange
   */
  constructor(api, state, { guard, guardChange, onShow, onSelect, onFilter, onChange }) {
    this.api = api;
    this.state = state;
    this.guardChange = guardChange;
    this.box = byId("events-panel", HTMLElement);
    this.tab = byId("tab-events", HTMLElement);
    this.undo = byId("event-undo", HTMLElement);
    this.bar = new EventFilterBar(byId("event-filter", HTMLFormElement), onFilter);
    this.pages = new EventPages(async (query) => (await getJson(`${api}/events?${query}`)).events, { guard, onChange });
    const notify = { button: byId("event-notify", HTMLElement), note: byId("notify-note", HTMLElement) };
    this.notifier = new Notifier(notify, onShow);
    this.list = new EventList(byId("events", HTMLElement), {
      onShow,
      onSelect,
      onDismiss: (event, dismissed) => void this.#dismiss(event, dismissed),
      onEnd: () => void this.pages.more(),
    });
    this.drawn = new Memo();
    /** @type {ReadonlySet<string>} of the parameters that there are */
    this.names = new Set();
  }

  /** Events are new, or have changed. @param {readonly EventRow[]} rows */
  take(rows) {
    this.state.setEvents(rows);
    this.pages.take(rows);
    this.notifier.take(rows, this.state.run?.name ?? "", document.hidden);
  }

  /**
   * @param {EventFilter} filter
   * @param {number | null} current the event that is shown in the charts
   * @param {boolean} shown is the list in sight?
   */
  render(filter, current, shown) {
    const { count } = openAlertsOf(this.state.events, this.state.run);
    setText(this.tab, count > 0 ? `Events (${formatCount(count)} open)` : "Events");
    this.box.hidden = !shown;
    if (!shown) return;
    this.bar.show(filter);
    void this.pages.show(filter);
    const { parameters } = this.state;
    if (this.drawn.differs(parameters)) this.names = new Set(parameters.map(({ name }) => name));
    this.list.render(this.pages, current, this.names);
  }

  /**
   * @param {EventRow} event
   * @param {boolean} dismissed
   */
  async #dismiss(event, dismissed) {
    const path = `${this.api}/events/${event.id}/dismiss?dismissed=${dismissed}`;
    await this.guardChange(async () => {
      this.take([await postJson(path, {})]);
      this.#offerUndo(dismissed ? event : null);
    });
  }

  /** @param {EventRow | null} event that was dismissed last */
  #offerUndo(event) {
    this.undo.hidden = event === null;
    if (event === null) return;
    const button = element("button", { type: "button", class: "button quiet" }, "Undo");
    button.addEventListener("click", () => void this.#dismiss(event, false));
    this.undo.replaceChildren(`Dismissed: ${eventWord(event)}, ${eventSteps(event)}. `, button);
  }
}
