/**
 * The list of runs: asks the server again and again, keeps one row a run, and does what a person wants
 * done with them.
 *
 * @typedef {import("../wire.js").RunRow} RunRow
 * @typedef {import("../runs/run_query.js").RunQuery} RunQuery
 */
import { byId, setAttribute, setText } from "../base/dom.js";
import { plural } from "../base/format.js";
import { rooted } from "../base/root.js";
import { Since } from "../base/since.js";
import { visible } from "../base/visible.js";
import { deleteAt, getJson, patchJson, reasonOf } from "../link/api.js";
import { DeleteDialog } from "../runs/delete_dialog.js";
import { EditDialog } from "../runs/edit_dialog.js";
import { foldedRuns, unfoldedRuns } from "../runs/run_families.js";
import { looksForSome, readRunQuery, runFinder, runQueryLink } from "../runs/run_query.js";
import { RunSparklines } from "../runs/run_sparklines.js";
import { RunTable } from "../runs/run_table.js";
import { SelectionBar } from "../runs/selection_bar.js";
import { Address } from "./address.js";
import { Waiting } from "./waiting.js";

const POLL_MS = 1000;
/** So many times as long as an answer took, the next is not asked for: many runs are no load. */
const PAUSE = 15;
const LONGEST_PAUSE_MS = 2000;
const DEFAULT_ORIGIN = "http://127.0.0.1:8765";

export class RunsPage {
  constructor() {
    this.whole = byId("runs", HTMLElement);
    this.empty = byId("empty", HTMLElement);
    this.unmatched = byId("unmatched", HTMLElement);
    this.connection = byId("connection", HTMLElement);
    this.banner = byId("banner", HTMLElement);
    this.waiting = new Waiting(document);
    this.problem = byId("problem", HTMLElement);
    this.all = byId("all-runs", HTMLAnchorElement);
    this.hidden = byId("archived-runs", HTMLAnchorElement);
    this.search = byId("search", HTMLInputElement);
    this.matches = byId("matches", HTMLElement);
    this.address = new Address();
    this.query = readRunQuery(location.search);
    this.search.value = this.query.text;
    /** @type {readonly RunRow[]} newest first */
    this.known = [];
    /** How often the runs were asked for. */
    this.asked = 0;
    /** What could not be done, by what was tried. */
    this.problems = { change: "", courses: "" };
    /** @type {Since | null} */
    this.lost = null;
    this.table = new RunTable(
      this.whole,
      (sort) => this.#ask({ sort }, true),
      (family) => this.#ask({ opened: toggled(this.query.opened, family) }, true),
      () => this.#show(),
    );
    const editing = new EditDialog(byId("edit-run", HTMLDialogElement), (run, described) => this.#change(run, described));
    const deleting = new DeleteDialog(byId("delete-runs", HTMLDialogElement), (runs) => this.#each(runs, (run) => deleteAt(apiOf(run))));
    this.bar = new SelectionBar(byId("chosen-runs", HTMLElement), {
      onEdit: (run) => editing.open(run),
      onArchive: (runs, archived) => this.#each(runs, (run) => this.#change(run, { archived })),
      onDelete: (runs) => deleting.open(runs),
    });
    this.sparklines = new RunSparklines(fetchSparklines);
    this.search.addEventListener("input", () => this.#ask({ text: this.search.value }, false));
    byId("clear-search", HTMLElement).addEventListener("click", () => this.#ask({ text: "" }, true));
    addEventListener("popstate", () => {
      this.address.turn();
      this.#take(readRunQuery(location.search));
    });
    setText(byId("attach", HTMLElement), attachLines(location.origin + rooted("")));
  }

  /** Ask and show, again and again; while nobody looks, not at all. */
  async poll() {
    if (document.hidden) {
      document.addEventListener("visibilitychange", () => this.poll(), { once: true });
      return;
    }
    const begun = performance.now();
    await this.#read();
    const pause = Math.min(LONGEST_PAUSE_MS, PAUSE * (performance.now() - begun));
    setTimeout(() => this.poll(), Math.max(POLL_MS, pause));
  }

  /** Ask and show; what an earlier question is answered with later is older, and is left. */
  async #read() {
    this.asked += 1;
    const own = this.asked;
    try {
      const { runs } = await getJson("/api/runs?archived=true");
      if (own !== this.asked) return;
      this.known = runs;
      this.lost = null;
      this.waiting.end();
      this.table.keepKnown(this.known);
      void this.#drawCourses(this.#show());
    } catch (error) {
      if (own !== this.asked) return;
      this.lost ??= new Since();
      this.waiting.render({ connected: false, lostFor: 0 });
      const why = reasonOf(error);
      this.#showLost(why, this.lost.seconds);
    }
    const lost = this.lost !== null;
    this.banner.hidden = !lost;
    setAttribute(this.connection, "data-status", lost ? "reconnecting" : "live");
    setText(this.connection, lost ? "reconnecting" : "connected");
  }

  /**
   * Show the runs that another query finds, and put it into the address.
   * @param {Partial<RunQuery>} changed
   * @param {boolean} step whether Back undoes it, as it does not undo each letter
   */
  #ask(changed, step) {
    const query = { ...this.query, ...changed };
    if (step) this.address.push(runQueryLink(query));
    else this.address.type(runQueryLink(query));
    this.#take(query);
  }

  /** @param {RunQuery} query */
  #take(query) {
    this.query = query;
    if (this.search.value !== query.text) this.search.value = query.text;
    this.#show();
  }

  /**
   * @param {string} why
   * @param {number} seconds
   */
  #showLost(why, seconds) {
    setText(this.banner, `${why} since ${Math.floor(seconds)} s, trying again. What you see is what was known then.`);
  }

  /** Show what is known, and return the runs that are listed. */
  #show() {
    const { archived, text, opened, sort } = this.query;
    const some = looksForSome(this.query);
    const found = this.known.filter(runFinder(this.query));
    const matching = found.filter((run) => archived || !run.archived);
    const listed = some ? unfoldedRuns(matching, sort) : foldedRuns(matching, sort, new Set(opened));
    const runs = listed.map(({ run }) => run);
    this.empty.hidden = this.known.length > 0;
    byId("toolbar", HTMLElement).hidden = this.known.length === 0;
    this.whole.hidden = runs.length === 0;
    this.unmatched.hidden = runs.length > 0 || text.trim() === "";
    setText(byId("unmatched-text", HTMLElement), `No run has “${visible(text.trim())}” in its name, tags, notes, host or status.`);
    const all = plural(this.known.filter((run) => archived || !run.archived).length, "run");
    setText(this.matches, some ? `${runs.length} of ${all}` : all);
    this.#link(found);
    this.table.show(listed, sort);
    this.bar.show(this.known.filter(({ id }) => this.table.chosen.has(id)), runs);
    return runs;
  }

  /** Lead to the runs that are not listed. @param {readonly RunRow[]} found */
  #link(found) {
    const { archived, tags, group } = this.query;
    this.all.hidden = !archived && tags.length === 0 && group === null;
    setAttribute(this.all, "href", runQueryLink({ ...this.query, archived: false, tags: [], group: null }));
    const more = found.filter((run) => run.archived).length;
    this.hidden.hidden = archived || more === 0;
    setText(this.hidden, `and ${plural(more, "archived run")}`);
    setAttribute(this.hidden, "href", runQueryLink({ ...this.query, archived: true }));
  }

  /**
   * Do something with each run, one after the other, and tell what could not be done.
   * @param {readonly RunRow[]} runs
   * @param {(run: RunRow) => Promise<unknown>} work
   */
  async #each(runs, work) {
    const problems = [];
    for (const run of runs) {
      try {
        await work(run);
      } catch (error) {
        problems.push(reasonOf(error));
      }
    }
    this.#tell("change", problems.join(" "));
    await this.#read();
  }

  /** @param {readonly RunRow[]} runs that are listed */
  async #drawCourses(runs) {
    try {
      await this.sparklines.update(this.table.rows, runs);
      this.#tell("courses", "");
    } catch (error) {
      this.#tell("courses", `The courses cannot be drawn: ${reasonOf(error)}.`);
    }
  }

  /**
   * Say what could not be done; "" when it could.
   * @param {"change" | "courses"} of
   * @param {string} why
   */
  #tell(of, why) {
    this.problems[of] = why;
    const all = Object.values(this.problems).filter(Boolean).join(" ");
    this.problem.hidden = all === "";
    setText(this.problem, all);
  }

  /**
   * @param {RunRow} run
   * @param {object} changed what of its row is to be another
   */
  async #change(run, changed) {
    await patchJson(apiOf(run), changed);
    await this.#read();
  }
}

/**
 * @param {readonly string[]} ids
 * @returns {Promise<Record<string, import("../wire.js").MetricSparkline>>} by run
 */
async function fetchSparklines(ids) {
  const query = new URLSearchParams(ids.map((id) => ["run", id]));
  return (await getJson(`/api/sparklines?${query}`)).sparklines;
}

/**
 * @param {readonly string[]} opened
 * @param {string} family
 */
function toggled(opened, family) {
  return opened.includes(family) ? opened.filter((each) => each !== family) : [...opened, family];
}

/** @param {RunRow} run */
function apiOf({ id }) {
  return `/api/runs/${encodeURIComponent(id)}`;
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
