/**
 * Lines over steps, with their key above: the selected parameters, or the metrics.
 *
 * @typedef {import("./line_figure.js").Line} Line
 */
import { element, find, setAttribute, setName, setText } from "../base/dom.js";
import { formatNumber, plural } from "../base/format.js";
import { lineBadge } from "../base/glyphs.js";
import { Memo } from "../base/memo.js";
import { visible } from "../base/visible.js";
import { stateGlyph } from "../model/state_glyph.js";
import { stateCode } from "../model/states.js";
import { lineFigure } from "./line_figure.js";

const CONFIG = Object.freeze({ displayModeBar: false, doubleClick: "reset", responsive: false });

/**
 * @typedef {object} KeyEntry
 * @property {string} name
 * @property {string} color
 * @property {string} mark
 * @property {number | null | undefined} value the latest
 * @property {boolean} shown
 * @property {boolean} [asks] is there something to explain?
 *
 * @typedef {object} LineView
 * @property {"parameters" | "metrics"} tab
 * @property {readonly Line[]} lines
 * @property {readonly KeyEntry[]} key
 * @property {readonly {step: number, label: string, gating: boolean}[]} marks
 * @property {readonly import("./closed_bands.js").Band[]} bands where gates were closed
 * @property {string} hint shown instead of a chart without lines
 * @property {boolean} everySample nothing was bucketed
 * @property {boolean} cut earlier points are not kept
 * @property {Record<string, string>} tokens
 */

export class LineChart {
  /**
   * @param {HTMLElement} chart
   * @param {HTMLElement} key
   * @param {HTMLElement} note
   * @param {object} handlers
   * @param {(name: string) => void} handlers.onToggle an entry of the key was clicked
   * @param {(name: string) => void} handlers.onWhy
   */
  constructor(chart, key, note, { onToggle, onWhy }) {
    this.chart = chart;
    this.plot = find(chart, ".plot");
    this.hint = find(chart, ".hint");
    this.key = key;
    this.note = note;
    this.drawnKey = new Memo();
    key.addEventListener("click", (event) => {
      const button = event.target instanceof Element ? event.target.closest("button") : null;
      const { line, why } = button?.dataset ?? {};
      if (line !== undefined) onToggle(line);
      if (why !== undefined) onWhy(why);
    });
  }

  /** How many points the chart has room for: one a pixel. */
  get room() {
    return Math.max(100, this.chart.clientWidth - 90);
  }

  /** @param {LineView} view */
  async render(view) {
    this.#drawKey(view);
    const empty = view.lines.length === 0;
    this.hint.hidden = !empty;
    this.plot.hidden = empty;
    setText(this.hint, empty ? view.hint : "");
    const resolution = empty ? "" : this.#resolution(view);
    setText(this.note, resolution);
    setAttribute(this.note, "title", resolution || null);
    const { clientWidth: width, clientHeight: height } = this.chart;
    if (empty || width === 0 || height === 0) return;
    const { data, layout } = lineFigure({
      lines: view.lines,
      marks: view.marks,
      bands: view.bands,
      bandWords: "closed",
      log: view.tab === "parameters",
      uirevision: view.tab,
      tokens: view.tokens,
      width,
    });
    await Plotly.react(this.plot, data, { ...layout, width, height, autosize: false }, CONFIG);
  }

  /** @param {LineView} view */
  #resolution({ tab, lines, everySample, cut }) {
    const noun = tab === "metrics" ? "point" : "sample";
    if (everySample) return cut ? `every one of the latest ${noun}s drawn` : `every ${noun} drawn`;
    const ends = lines.flatMap(({ steps }) => [steps[0] ?? 0, steps[steps.length - 1] ?? 0]);
    const steps = (Math.max(...ends) - Math.min(...ends)) / this.room;
    const perPixel = steps < 10 ? formatNumber(Math.max(1, steps)) : String(Math.round(steps));
    return `${cut ? `latest ${noun}s, ` : ""}1 px = ${perPixel} steps: last value, band lowest to highest`;
  }

  /** @param {LineView} view */
  #drawKey({ tab, key, bands }) {
    const gates = [...new Set(bands.map(({ gate }) => gate))];
    const parts = key.flatMap(({ name, color, mark, value, shown, asks }) => [name, color, mark, value, shown, asks]);
    if (!this.drawnKey.differs(tab, gates.join(" "), ...parts)) return;
    const focused = document.activeElement?.getAttribute("data-line") ?? null;
    this.key.replaceChildren(...key.flatMap((entry) => keyEntry(tab, entry)), ...bandEntry(gates));
    const again = [...this.key.children].find((each) => each.getAttribute("data-line") === focused);
    if (focused !== null && again instanceof HTMLElement) again.focus({ preventScroll: true });
  }
}

/**
 * @param {LineView["tab"]} tab
 * @param {KeyEntry} entry
 */
function keyEntry(tab, { name, color, mark, value, shown, asks }) {
  const label = element("span", { class: "name" });
  setName(label, name);
  const made = element("button", { type: "button", class: "entry", "data-line": name }, lineBadge({ color, mark }), label);
  if (value !== undefined) made.append(element("span", { class: "muted" }, formatNumber(value)));
  if (tab === "metrics") made.setAttribute("aria-pressed", String(shown));
  else {
    made.setAttribute("aria-label", `Remove ${visible(name)} from the chart`);
    made.append(element("span", { class: "remove", "aria-hidden": "true" }, "×"));
  }
  return asks ? [made, whyButton(name)] : [made];
}

/** @param {string} name */
function whyButton(name) {
  return element(
    "button",
    { type: "button", class: "why-link", "data-why": name, "aria-label": `Why: ${visible(name)}` },
    "Why?",
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

/**
 * What a tab without lines says.
 * @param {"parameters" | "metrics"} tab
 * @param {number} most
 */
export function lineHint(tab, most) {
  return tab === "metrics"
    ? "No metrics yet: run.log(loss=loss) in the training loop shows them here."
    : `Click a parameter to see it over time. Ctrl-click, or P, adds one: up to ${plural(most, "line")}.`;
}
