/**
 * The key above the lines: an entry a line, which takes it away or shows it, and the gates behind the bands.
 *
 * @typedef {import("../model/view_url.js").LineTab} LineTab
 *
 * @typedef {object} KeyEntry
 * @property {string} name
 * @property {string} color
 * @property {string} mark
 * @property {number | null | undefined} value the latest
 * @property {boolean} shown
 * @property {boolean} [asks] is there something to explain?
 */
import { element, setName } from "../base/dom.js";
import { formatNumber } from "../base/format.js";
import { lineBadge } from "../base/glyphs.js";
import { Memo } from "../base/memo.js";
import { visible } from "../base/visible.js";
import { stateGlyph } from "../model/state_glyph.js";
import { stateCode } from "../model/states.js";

export class LineKey {
  /**
   * @param {HTMLElement} box
   * @param {object} handlers
   * @param {(name: string) => void} handlers.onToggle an entry was clicked
   * @param {(name: string) => void} handlers.onWhy
   */
  constructor(box, { onToggle, onWhy }) {
    this.box = box;
    this.drawn = new Memo();
    box.addEventListener("click", (event) => {
      const button = event.target instanceof Element ? event.target.closest("button") : null;
      const { line, why } = button?.dataset ?? {};
      if (line !== undefined) onToggle(line);
      if (why !== undefined) onWhy(why);
    });
  }

  /**
   * The focus stays on its entry.
   * @param {LineTab} tab
   * @param {readonly KeyEntry[]} key
   * @param {readonly {gate: number}[]} bands where gates were closed
   */
  render(tab, key, bands) {
    const gates = [...new Set(bands.map(({ gate }) => gate))];
    const parts = key.flatMap(({ name, color, mark, value, shown, asks }) => [name, color, mark, value, shown, asks]);
    if (!this.drawn.differs(tab, gates.join(" "), ...parts)) return;
    const focused = document.activeElement?.getAttribute("data-line") ?? null;
    this.box.replaceChildren(...key.flatMap((entry) => keyEntry(tab, entry)), ...bandEntry(gates));
    const again = [...this.box.children].find((each) => each.getAttribute("data-line") === focused);
    if (focused !== null && again instanceof HTMLElement) again.focus({ preventScroll: true });
  }
}

/**
 * @param {LineTab} tab
 * @param {KeyEntry} entry
 */
function keyEntry(tab, { name, color, mark, value, shown, asks }) {
  const label = element("span", { class: "name" });
  setName(label, name);
  const made = element("button", { type: "button", class: "entry", "data-line": name }, lineBadge({ color, mark }), label);
  if (value !== undefined) made.append(element("span", { class: "muted" }, formatNumber(value)));
  if (tab === "metrics") made.setAttribute("aria-pressed", String(shown));
  else {
    const away = element("span", { class: "visually-hidden" }, ", remove from the chart");
    made.append(away, element("span", { class: "remove", "aria-hidden": "true" }, "×"));
  }
  return tab === "metrics" ? [made] : [made, whyButton(name, asks === true)];
}

/**
 * What leads to all that is known of a parameter.
 * @param {string} name
 * @param {boolean} asks is there something to explain?
 */
function whyButton(name, asks) {
  const word = asks ? "Why" : "Details";
  return element(
    "button",
    { type: "button", class: "why-link", "data-why": name, "aria-label": `${word}: ${visible(name)}` },
    asks ? "Why?" : word,
  );
}

/**
 * What the bands are.
 * @param {readonly number[]} gates
 */
function bandEntry(gates) {
  if (gates.length === 0) return [];
  const words = `gate${gates.length > 1 ? "s" : ""} ${gates.join(", ")} closed`;
  return [element("span", { class: "entry band" }, stateGlyph(stateCode("gated")), words)];
}
