/**
 * Lines over steps: the selected parameters, or the metrics.
 *
 * @typedef {import("../link/statistics.js").StatisticName} StatisticName
 * @typedef {import("../model/view_url.js").LineTab} LineTab
 * @typedef {import("./line_pointer.js").LinePointer} LinePointer
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 * @typedef {import("./closed_bands.js").Band} Band
 * @typedef {import("./plotly.js").PlotlyElement} PlotlyElement
 * @typedef {import("./line_traces.js").Line} Line
 * @typedef {import("../model/step_marks.js").StepMark} StepMark
 *
 * @typedef {object} LineView
 * @property {LineTab} tab
 * @property {readonly Line[]} lines
 * @property {readonly StepMark[]} marks
 * @property {readonly Band[]} bands where gates were closed
 * @property {string} hint said over a chart that has nothing to draw, "" where it has
 * @property {string} missing why some of the lines have nothing to draw, "" where all have
 * @property {StepRange | null} range the steps in sight; null for the whole run
 * @property {boolean} coarse is something finer to come?
 * @property {StatisticName} stat of the parameters
 * @property {"linear" | "log"} scale of the metrics
 * @property {StepRange} whole the first and the latest step of the run
 * @property {Record<string, string>} tokens
 */
import { find, setAttribute, setText } from "../base/dom.js";
import { formatCount, formatNumber, shortenMiddle } from "../base/format.js";
import { lineFigure, MARGIN, stepsInSight } from "./line_figure.js";
import { drawPlot } from "./plot_layout.js";
import { escapePlotly } from "./plotly_text.js";
import { StepScale } from "./step_scale.js";

/** A double click shows the whole run, which the page sees to. */
const CONFIG = Object.freeze({ doubleClick: false });
/** The least height of a pane, px: the chart scrolls when there are many. */
const LEAST_PANE = 84;
/** Over a picture, for the names of its lines, px. */
const TITLE_ROOM = 28;

export class LineChart {
  /**
   * @param {HTMLElement} chart
   * @param {HTMLElement} note on the resolution
   * @param {LinePointer} pointer
   * @param {(range: readonly [number, number] | null) => void} onRange steps, with fractions, were chosen; null for the whole run
   */
  constructor(chart, note, pointer, onRange) {
    this.chart = chart;
    this.pointer = pointer;
    this.onRange = onRange;
    this.listening = false;
    /** @type {LineView | null} null while nothing is drawn */
    this.drawn = null;
    /** @type {import("./plotly.js").Picture | null} what is drawn, with the names of its lines */
    this.picture = null;
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
    // Steps that are looked at have an axis also where there is nothing to draw: from there, too, one can move on.
    const hasAxis = view.lines.length > 0 || view.range !== null;
    this.drawn = null;
    this.picture = null;
    this.hint.hidden = view.hint === "";
    this.plot.hidden = !hasAxis;
    setText(this.hint, view.hint);
    const resolution = view.hint === "" ? this.#resolution(view) : "";
    setText(this.note, resolution);
    setAttribute(this.note, "title", resolution || null);
    const panes = panesOf(view);
    const { clientWidth: width, clientHeight } = this.chart;
    if (!hasAxis || width === 0 || clientHeight === 0) return this.pointer.show(null);
    const height = Math.max(clientHeight, panes.length * LEAST_PANE);
    const { lines, marks, bands, range, tokens, stat, whole } = view;
    const { data, layout } = lineFigure({ panes, marks, bands, bandWords: "closed", range, uirevision: null, tokens, width, height });
    if (view.hint === "") {
      this.drawn = view;
      this.picture = { data, layout: { ...layout, ...pictureFrame(view, layout) }, width, height: height + TITLE_ROOM };
    }
    await drawPlot(this.plot, { data, layout: { ...layout, hovermode: false } }, { width, height }, CONFIG);
    if (!this.listening) this.#listen();
    const scale = new StepScale(stepsInSight(range, lines), MARGIN.l, width - MARGIN.l - MARGIN.r);
    this.pointer.show({ lines, marks, stat: view.tab === "metrics" ? null : stat, scale, whole });
  }

  /** The plot tells of gestures once it is drawn. */
  #listen() {
    this.listening = true;
    const plot = /** @type {PlotlyElement} */ (this.plot);
    plot.on?.("plotly_relayout", (change) => {
      const [first, last] = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
      if (typeof first === "number" && typeof last === "number") this.onRange([first, last]);
    });
    plot.on?.("plotly_doubleclick", () => this.onRange(null));
  }

  /** @param {LineView} view */
  #resolution({ tab, lines, coarse, missing }) {
    const ahead = `${missing === "" ? "" : `${missing} · `}${coarse ? "finer is to come · " : ""}`;
    if (lines.every(({ everySample }) => everySample)) return `${ahead}every ${tab === "metrics" ? "point" : "sample"} drawn`;
    const steps = Math.max(...lines.map(stepsPerPoint));
    const words = steps < 10 ? formatNumber(steps) : formatCount(Math.round(steps));
    return `${ahead}1 point = ${words} steps: last value, band lowest to highest`;
  }
}

/**
 * Norms share an axis; a metric has its own, since no two are of one kind.
 * @param {LineView} view
 */
function panesOf({ tab, lines, scale }) {
  if (tab === "parameters" || lines.length === 0) return [{ lines, log: true, title: "" }];
  return lines.map((line) => {
    const log = scale === "log" && line.min.every((low) => low === null || low > 0);
    const name = lines.length > 1 ? [`${line.mark} ${line.name}`] : [];
    const notes = scale === "log" && !log ? ["linear axis, for not all values are above 0"] : [];
    return { lines: [line], log, title: [...name, ...notes].join(" · ") };
  });
}

/**
 * The ground and the title of a picture, which stands without the page and its key.
 * @param {LineView} view
 * @param {import("./plotly.js").Figure} layout
 */
function pictureFrame({ tab, lines, tokens }, { margin }) {
  const isTitled = tab === "metrics" && lines.length > 1; // each pane has a title of its own
  const names = (isTitled ? [] : lines).map(({ mark, name }) => `${mark} ${escapePlotly(shortenMiddle(name, 40))}`).join("   ");
  const own = /** @type {{t: number}} */ (margin);
  return {
    paper_bgcolor: tokens["panel"],
    margin: { ...own, t: own.t + TITLE_ROOM },
    title: { text: names, x: 0, xref: "paper", y: 1, yref: "container", yanchor: "top", pad: { t: 10 }, font: { size: 12, color: tokens["text"] } },
  };
}

/**
 * How many steps a point stands for, on average.
 * @param {Line} line
 */
function stepsPerPoint({ begins, steps }) {
  return steps.length === 0 ? 1 : (steps[steps.length - 1] - begins[0] + 1) / steps.length;
}
