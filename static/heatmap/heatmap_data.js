/**
 * What the heat map is drawn from: the whole run, and over it what is in sight, finer. One request is on
 * its way at a time; what is there stays until something better has come.
 *
 * @typedef {import("./heatmap_request.js").Subject} Subject
 * @typedef {import("./heatmap_request.js").Room} Room
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 *
 * @typedef {object} Answer
 * @property {Subject} subject
 * @property {Room} room
 * @property {StepRange | null} range what was asked for
 * @property {Cells} cells
 *
 * @typedef {object} Wanted
 * @property {Subject} subject
 * @property {Room} room
 * @property {StepRange | null} range
 * @property {number | null} latest step of the latest sample
 */
import { getColumns, reasonOf } from "../link/api.js";
import { sameRange } from "../model/step_range.js";
import { Cells } from "./cells.js";
import { heatmapQuery } from "./heatmap_request.js";

/** The whole run is asked for again no sooner, nor before so many times as long as the answer took. */
const FOLLOW_MS = 1500;
const FOLLOW_SHARE = 10;
const RETRY_MS = 2000;

export class HeatmapData {
  /**
   * @param {string} api
   * @param {(request: () => Promise<void>) => Promise<void>} guard runs a request, shows its failure
   * @param {() => void} onChange an answer has come, or none will
   * @param {(path: string) => Promise<any>} [get]
   * @param {() => number} [now] ms
   */
  constructor(api, guard, onChange, get = getColumns, now = () => performance.now()) {
    this.api = api;
    this.guard = guard;
    this.onChange = onChange;
    this.get = get;
    this.now = now;
    /** @type {Answer | null} the whole run */
    this.overview = null;
    /** @type {Answer | null} what is in sight, or was */
    this.detail = null;
    this.fetching = false;
    /** Why the latest request has no answer, "" for one that has. */
    this.failure = "";
    /** When a request may be tried again after one that failed, and the whole run after it has grown. */
    this.retryAt = -Infinity;
    this.followAt = -Infinity;
    /** @type {number | null} the step of the latest sample when the whole run was asked for */
    this.followed = null;
    this.outdated = false;
    /** @type {Wanted | null} */
    this.wanted = null;
  }

  /** Ask anew for everything: something may have been missed. */
  refresh() {
    this.outdated = true;
    this.retryAt = -Infinity;
  }

  /**
   * Ask for what is wanted and not there, when it is due.
   * @param {Wanted} wanted
   */
  async fetchMissing(wanted) {
    this.wanted = wanted;
    const missing = this.#missing(wanted);
    if (this.fetching || missing === undefined) return;
    this.fetching = true;
    const start = this.now();
    let cells = /** @type {Cells | null} */ (null);
    await this.guard(async () => {
      try {
        cells = new Cells(await this.get(`${this.api}/${heatmapQuery(wanted.subject, wanted.room, missing)}`));
        this.failure = "";
      } catch (error) {
        this.failure = reasonOf(error);
        throw error;
      }
    });
    this.fetching = false;
    if (cells === null) this.retryAt = this.now() + RETRY_MS;
    else this.#take({ ...wanted, range: missing, cells }, wanted.latest, this.now() - start);
    this.onChange();
  }

  /**
   * What has to be asked for: a range, null for the whole run, undefined for nothing.
   * @param {Wanted} wanted
   */
  #missing({ subject, room, range, latest }) {
    const { overview, detail } = this;
    if (this.now() < this.retryAt) return undefined;
    if (overview === null || !isAbout(overview, subject, room)) return null;
    // A job that was resumed goes back: other than before, and not only later.
    const moved = latest !== null && latest !== this.followed && latest !== overview.cells.steps?.[1] && this.now() >= this.followAt;
    if (this.outdated || (range === null && moved)) return null;
    if (range === null) return undefined;
    return detail !== null && isAbout(detail, subject, room) && sameRange(detail.range, range) ? undefined : range;
  }

  /**
   * Keep an answer, unless another subject is wanted by now.
   * @param {Answer} answer
   * @param {number | null} latest step of the latest sample when it was asked for
   * @param {number} took ms
   */
  #take(answer, latest, took) {
    if (this.wanted !== null && !isAbout(answer, this.wanted.subject, this.wanted.room)) return;
    const { subject, room, range, cells } = answer;
    if (range !== null) {
      this.detail = { subject, room, range, cells };
      return;
    }
    this.overview = { subject, room, range, cells };
    this.followed = latest;
    this.outdated = false;
    this.followAt = this.now() + Math.max(FOLLOW_MS, took * FOLLOW_SHARE);
    if (this.detail !== null && !isAbout(this.detail, subject, room)) this.detail = null;
  }
}

/**
 * @param {Pick<Answer, "subject" | "room">} answer
 * @param {Subject} subject
 * @param {Room} room
 */
function isAbout(answer, subject, room) {
  const { stat, of, within } = answer.subject;
  const { columns, rows } = answer.room;
  return stat === subject.stat && of === subject.of && within === subject.within && columns === room.columns && rows === room.rows;
}
