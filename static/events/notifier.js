/**
 * Tells of alerts by the browser's notifications, when somebody asked for it and looks elsewhere.
 *
 * @typedef {import("../wire.js").EventRow} EventRow
 * @typedef {Pick<typeof Notification, "permission" | "requestPermission"> & (new (title: string, options: NotificationOptions) => Pick<Notification, "onclick">)} Notices
 * @typedef {import("../base/kept.js").Kept} Kept
 */
import { setAttribute, setText } from "../base/dom.js";
import { plural } from "../base/format.js";
import { kept } from "../base/kept.js";
import { plainProse } from "../base/prose.js";
import { visible } from "../base/visible.js";
import { eventSteps, eventWord, openAlerts } from "../model/events.js";

const KEY = "gradgate.notify";
const CANNOT = "This browser shows no notifications here: it does so for pages of this machine and over https only. `gradgate serve --notify URL` tells of alerts without a browser.";
const REFUSED = "The browser refuses notifications from this page: allow them in its settings for this site, and then switch them on here.";
const ASIDE = "The browser has asked, and got no answer: nothing is told.";
const TOLD = "Alerts are told by this browser while this page is open and another one is looked at.";

export class Notifier {
  /**
   * @param {{button: HTMLElement, note: HTMLElement}} view
   * @param {(event: EventRow) => void} onShow a notification was clicked
   * @param {Notices | undefined} [notices] what the browser has
   * @param {Kept} [memory]
   */
  constructor({ button, note }, onShow, notices = globalThis.Notification, memory = kept) {
    this.button = button;
    this.note = note;
    this.onShow = onShow;
    this.notices = notices;
    this.kept = memory;
    /** @type {number | null} the latest event that was told of, or was there before the page was */
    this.latest = null;
    button.addEventListener("click", () => void this.#toggle());
    this.#draw("");
  }

  /** Was it asked for, and does the browser do it? */
  get on() {
    return this.notices?.permission === "granted" && this.kept.getItem(KEY) !== null;
  }

  /**
   * Events came; those that were there when the page was opened are no news.
   * @param {readonly EventRow[]} rows
   * @param {string} run its name
   * @param {boolean} hidden is the page out of sight?
   */
  take(rows, run, hidden) {
    const { latest, notices } = this;
    this.latest = Math.max(latest ?? 0, ...rows.map(({ id }) => id));
    if (latest === null || !hidden || !this.on || notices === undefined) return;
    const news = openAlerts(rows).filter(({ id }) => id > latest).sort((a, b) => a.id - b.id);
    if (news.length === 0) return;
    const { title, body } = noticeOf(run, news);
    const notice = new notices(title, { body, tag: `gradgate ${location.pathname}` });
    notice.onclick = () => {
      window.focus();
      this.onShow(news[0]);
    };
  }

  async #toggle() {
    if (this.on) {
      this.kept.removeItem(KEY);
      this.#draw("");
      return;
    }
    if (this.notices === undefined) {
      this.#draw(CANNOT);
      return;
    }
    const permission = await this.notices.requestPermission();
    if (permission === "granted") this.kept.setItem(KEY, "on");
    this.#draw({ granted: TOLD, denied: REFUSED, default: ASIDE }[permission]);
  }

  /** @param {string} sentence */
  #draw(sentence) {
    setAttribute(this.button, "aria-checked", String(this.on));
    setText(this.note, sentence);
    this.note.hidden = sentence === "";
  }
}

/**
 * What a notification says of alerts.
 * @param {string} run
 * @param {readonly EventRow[]} news oldest first, at least one
 */
export function noticeOf(run, news) {
  const [first, ...rest] = news;
  const title = `${visible(run)}: ${eventWord(first)} at ${eventSteps(first)}`;
  const body = plainProse(first.sentence) + (rest.length > 0 ? ` And ${plural(rest.length, "more alert")}.` : "");
  return { title, body };
}
