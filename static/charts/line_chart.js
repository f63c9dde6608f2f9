/**
 * Lines over steps: the selected parameters, or the metrics.
 *
 * @typedef {import("../model/view_url.js").LineTab} LineTab
 * @typedef {import("./closed_bands.js").Band} Band
 * @typedef {import("./line_traces.js").Line} Line
 * @typedef {import("../model/effect_marks.js").EffectMark} EffectMark
 *
 * @typedef {object} LineView
 * @property {LineTab} tab
 * @property {readonly Line[]} lines
 * @property {readonly EffectMark[]} marks
 * @property {readonly Band[]} bands where gates were closed
 * @property {string} hint shown instead of a chart without lines
 * @property {boolean} everySample nothing was bucketed
 * @property {Record<string, string>} tokens
 */
import { find, setAttribute, setText } from "../base/dom.js";
import { formatNumber } from "../base/format.js";
import { lineFigure } from "./line_figure.js";
import { drawPlot } from "./plot_layout.js";

export class LineChart {
  /**
   * @param {HTMLElement} chart
   * @param {HTMLElement} note on the resolution
   */
  constructor(chart, note) {
    this.chart = chart;
    this.plot = find(chart, ".plot");
    this.hint = find(chart, ".hint");
    this.note = note;
  }

  /** How many points the chart has room for: one a pixel. */
  get room() {
    return Math.max(100, this.chart.clientWidth - 90);
  }

  /** @param {LineView} view */
  async render(view) {
    const empty = view.lines.length === 0;
    this.hint.hidden = !empty;
    this.plot.hidden = empty;
    setText(this.hint, empty ? view.hint : "");
    const resolution = empty ? "" : this.#resolution(view);
    setText(this.note, resolution);
    setAttribute(this.note, "title", resolution || null);
    const { clientWidth: width, clientHeight: height } = this.chart;
    if (empty || width === 0 || height === 0) return;
    const figure = lineFigure({
      lines: view.lines,
      marks: view.marks,
      bands: view.bands,
      bandWords: "closed",
      log: view.tab === "parameters",
      uirevision: view.tab,
      tokens: view.tokens,
      width,
    });
    await drawPlot(this.plot, figure, { width, height });
  }

  /** @param {LineView} view */
  #resolution({ tab, lines, everySample }) {
    const noun = tab === "metrics" ? "point" : "sample";
    if (everySample) return `every ${noun} drawn`;
    const ends = lines.flatMap(({ steps }) => [steps[0] ?? 0, steps[steps.length - 1] ?? 0]);
    const steps = (Math.max(...ends) - Math.min(...ends)) / this.room;
    const perPixel = steps < 10 ? formatNumber(Math.max(1, steps)) : String(Math.round(steps));
    return `1 px = ${perPixel} steps: last value, band lowest to highest`;
  }
}
