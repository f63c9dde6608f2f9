/**
 * The list of runs: asks the server every second and keeps one row a run.
 *
 * @typedef {import("../wire.js").RunRow} RunRow
 */
import { byId, find, setAttribute, setText } from "../base/dom.js";
import { plural } from "../base/format.js";
import { getJson } from "../link/api.js";
import { isListed, readRunFilter, runFilterLink } from "./run_filter.js";
import { fillRow, makeRow } from "./run_list_row.js";

const POLL_MS = 1000;
const DEFAULT_ORIGIN = "http://127.0.0.1:8765";

export class RunsPage {
  constructor() {
    this.table = byId("runs", HTMLElement);
    this.body = find(this.table, "tbody");
    this.empty = byId("empty", HTMLElement);
    this.connection = byId("connection", HTMLElement);
    this.banner = byId("banner", HTMLElement);
    this.all = byId("all-runs", HTMLAnchorElement);
    this.hidden = byId("archived-runs", HTMLAnchorElement);
    this.filter = readRunFilter(location.search);
    /** @type {Map<string, HTMLElement>} */
    this.rows = new Map();
    /** @type {number | null} */
    this.lostSince = null;
    setText(byId("attach", HTMLElement), attachLines(location.origin));
  }

  /** Ask and show, again and again; while nobody looks, not at all. */
  async poll() {
    if (document.hidden) {
      document.addEventListener("visibilitychange", () => this.poll(), { once: true });
      return;
    }
    try {
      this.#show((await getJson("/api/runs?archived=true")).runs);
      this.lostSince = null;
    } catch (error) {
      this.lostSince ??= performance.now();
      const why = error instanceof Error ? error.message : String(error);
      this.#showLost(why, (performance.now() - this.lostSince) / 1000);
    }
    const lost = this.lostSince !== null;
    this.banner.hidden = !lost;
    setAttribute(this.connection, "data-status", lost ? "reconnecting" : "live");
    setText(this.connection, lost ? "reconnecting" : "connected");
    setTimeout(() => this.poll(), POLL_MS);
  }

  /**
   * @param {string} why
   * @param {number} seconds
   */
  #showLost(why, seconds) {
    setText(this.banner, `${why} since ${Math.floor(seconds)} s, trying again. What you see is what was known then.`);
  }

  /** @param {RunRow[]} known newest first */
  #show(known) {
    const { filter } = this;
    const runs = known.filter((run) => isListed(run, filter));
    this.empty.hidden = known.length > 0;
    this.table.hidden = runs.length === 0;
    this.#link(known);
    const ids = new Set(runs.map(({ id }) => id));
    for (const [id, row] of this.rows) {
      if (ids.has(id)) continue;
      row.remove();
      this.rows.delete(id);
    }
    runs.forEach((run, i) => {
      const row = this.rows.get(run.id) ?? makeRow(run);
      this.rows.set(run.id, row);
      fillRow(row, run);
      if (this.body.children[i] !== row) this.body.insertBefore(row, this.body.children[i] ?? null);
    });
  }

  /** Lead to the runs that are not listed. @param {RunRow[]} known */
  #link(known) {
    const { archived, tags } = this.filter;
    this.all.hidden = !archived && tags.length === 0;
    setAttribute(this.all, "href", runFilterLink({ archived: false, tags: [] }));
    const more = known.filter((run) => run.archived && isListed(run, { archived: true, tags })).length;
    this.hidden.hidden = archived || more === 0;
    setText(this.hidden, `and ${plural(more, "archived run")}`);
    setAttribute(this.hidden, "href", runFilterLink({ archived: true, tags }));
  }
}

/**
 * The three lines that attach a job; the server's address only where it is not the default.
 * @param {string} origin
 */
function attachLines(origin) {
  const server = origin === DEFAULT_ORIGIN ? "" : `, server="${origin}"`;
  return [
    "from gradgate import probe",
    `run = probe.attach(model, optimizer${server})`,
    "run.log(loss=loss.item())  # in the loop, if you like",
  ].join("\n");
}
