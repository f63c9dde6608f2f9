/**
 * What of the page can be seen now, and so what the server is to tell it: nothing else is sent but events. A panel that
 * shows what the job streams is an entry of `PANELS`; what changes seldom is told as long as the page is looked at.
 *
 * @typedef {keyof typeof PANELS} Panel
 * @typedef {import("../wire.js").Watch} Watch
 */
import { find } from "../base/dom.js";
import { MESSAGE_TYPES } from "./live_messages.js";

/** Panels by their selectors, and the streamed topics that they show. */
const PANELS = Object.freeze({
  ".left.panel": ["samples"],
  ".flow.panel": ["samples"],
  ".lines.panel": ["samples", "metrics"],
  "#gate-editor": ["metrics"],
  "#numbers": ["distributions"],
});
/** What a hidden page is told: its title counts alerts, and a notification tells of them. */
const HIDDEN = Object.freeze(["events"]);
/** What the page shows of a sample beside the norm. */
const STATISTICS = Object.freeze(["update_ratio", "weight_norm"]);
/** How far outside of the window a panel is already kept up to date. */
const MARGIN = "200px";

/** @type {readonly Panel[]} */
export const ALL_PANELS = Object.freeze(/** @type {Panel[]} */ (Object.keys(PANELS)));

/**
 * What a page wants to be told of.
 * @param {Iterable<Panel>} seen
 * @param {boolean} hidden the whole page: another tab is looked at
 * @param {number} interval seconds between two drawings
 * @param {number[]} focus parameters that are looked at closely, where their distributions are seen
 * @param {number[]} holds commands that last while this page is open
 * @returns {Watch}
 */
export function watchOf(seen, hidden, interval, focus, holds) {
  const streamed = new Set(ALL_PANELS.flatMap((panel) => PANELS[panel]));
  const seldom = MESSAGE_TYPES.filter((type) => !streamed.has(type));
  const topics = hidden ? HIDDEN : [...seldom, ...[...seen].flatMap((panel) => PANELS[panel])];
  const looks = topics.includes("distributions");
  return { type: "watch", topics: [...new Set(topics)].sort(), statistics: [...STATISTICS], interval, focus: looks ? focus : [], holds };
}

export class Attention {
  /** @param {() => void} onChange something came into sight, or went out of it */
  constructor(onChange) {
    /** @type {Set<Panel>} */
    this.seen = new Set(ALL_PANELS);
    /** @type {Map<Element, Panel>} */
    const panels = new Map(ALL_PANELS.map((panel) => [find(document.body, panel), panel]));
    const observer = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          const panel = /** @type {Panel} */ (panels.get(target));
          if (isIntersecting) this.seen.add(panel);
          else this.seen.delete(panel);
        }
        onChange();
      },
      { rootMargin: MARGIN },
    );
    for (const element of panels.keys()) observer.observe(element);
    document.addEventListener("visibilitychange", onChange);
  }
}
