/**
 * The events that a filter lists, newest first: the newest are told as they happen, older ones are
 * fetched page by page.
 *
 * @typedef {import("../wire.js").EventRow} EventRow
 * @typedef {import("../model/events.js").EventFilter} EventFilter
 * @typedef {(query: string) => Promise<EventRow[]>} FetchPage
 */
import { passesFilter } from "../model/events.js";

/** Events of one answer. */
export const PAGE = 100;
/** As many are listed; who looks for older ones narrows the filter. */
export const MOST = 2000;

export class EventPages {
  /**
   * @param {FetchPage} fetchPage
   * @param {object} handlers
   * @param {(request: () => Promise<void>) => Promise<void>} handlers.guard runs a request, shows its failure
   * @param {() => void} handlers.onChange
   */
  constructor(fetchPage, { guard, onChange }) {
    this.fetchPage = fetchPage;
    this.guard = guard;
    this.onChange = onChange;
    /** @type {EventFilter | null} null before the list was looked at */
    this.filter = null;
    /** @type {readonly EventRow[]} newest first */
    this.rows = [];
    this.loading = false;
    /** Is there nothing older? */
    this.complete = false;
    /** From this id on everything that the filter lists is known. */
    this.oldest = Infinity;
    /** @type {number | null} the highest id of all that was told */
    this.newest = null;
    this.loads = 0;
    /** @type {EventRow[]} what was told while an answer was under way */
    this.news = [];
  }

  /** Is what is listed all that can be? */
  get full() {
    return this.rows.length >= MOST;
  }

  /** @param {EventFilter} filter */
  async show(filter) {
    if (JSON.stringify(filter) === JSON.stringify(this.filter)) return;
    this.filter = filter;
    await this.restart();
  }

  /** Fetch anew from the newest on; what is listed stays until the answer is there. */
  async restart() {
    const { filter } = this;
    if (filter === null) return;
    this.rows = this.rows.filter((row) => passesFilter(row, filter));
    this.oldest = Infinity;
    await this.#load(filter);
  }

  /** Fetch older ones, if there are any. */
  async more() {
    if (this.filter === null || this.loading || this.complete || this.full) return;
    await this.#load(this.filter);
  }

  /**
   * Events are new, or have changed. Their ids have no gap, so that one tells that more has happened than was told.
   * @param {readonly EventRow[]} rows
   */
  take(rows) {
    if (rows.length === 0) return;
    const { newest } = this;
    const later = rows.map(({ id }) => id).filter((id) => newest !== null && id > newest);
    this.newest = Math.max(newest ?? 0, ...rows.map(({ id }) => id));
    if (this.loading) this.news.push(...rows);
    const missed = newest !== null && later.length > 0 && Math.min(...later) > newest + 1;
    const failed = this.oldest === Infinity && !this.loading;
    if (missed || failed) void this.restart();
    else this.#put(rows);
  }

  /** Of several answers under way the one asked for last counts. @param {EventFilter} filter */
  async #load(filter) {
    this.loads += 1;
    const load = this.loads;
    const first = this.oldest === Infinity;
    this.loading = true;
    this.news = [];
    this.onChange();
    await this.guard(async () => {
      const page = await this.fetchPage(queryOf(filter, first ? null : this.oldest));
      if (load !== this.loads) return;
      this.complete = page.length < PAGE;
      this.oldest = this.complete ? 0 : page[page.length - 1].id;
      this.rows = first ? page : [...this.rows, ...page];
      this.#put(this.news);
    });
    if (load === this.loads) this.loading = false;
    this.onChange();
  }

  /** @param {readonly EventRow[]} rows */
  #put(rows) {
    const { filter, oldest } = this;
    if (filter === null) return;
    const byId = new Map(this.rows.map((row) => [row.id, row]));
    for (const row of rows) {
      const listed = passesFilter(row, filter) && (row.id >= oldest || oldest === Infinity);
      if (listed) byId.set(row.id, row);
      else byId.delete(row.id);
    }
    const sorted = [...byId.values()].sort((a, b) => b.id - a.id);
    this.rows = sorted.slice(0, MOST);
    if (sorted.length > MOST) {
      this.complete = false;
      this.oldest = this.rows[MOST - 1].id;
    }
    this.onChange();
  }
}

/**
 * @param {EventFilter} filter
 * @param {number | null} before an id
 */
function queryOf({ kind, level, text, dismissed }, before) {
  const query = new URLSearchParams({ limit: String(PAGE), dismissed: String(dismissed) });
  if (kind !== "") query.set("kind", kind);
  if (level !== "") query.set("level", level);
  if (text !== "") query.set("text", text);
  if (before !== null) query.set("before", String(before));
  return query.toString();
}
