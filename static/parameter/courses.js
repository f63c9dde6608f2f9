/**
 * The statistics of one parameter over time, a small chart each.
 *
 * @typedef {import("../charts/plot_layout.js").Tokens} Tokens
 * @typedef {import("../charts/plotly.js").PlotlyElement} PlotlyElement
 * @typedef {import("../link/statistics.js").StatisticName} StatisticName
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 */
import { element, setText } from "../base/dom.js";
import { formatNumber } from "../base/format.js";
import { emptyWords } from "../charts/empty_lines.js";
import { lineFigure } from "../charts/line_figure.js";
import { drawPlot } from "../charts/plot_layout.js";
import { SeriesStore } from "../charts/series_store.js";
import { eachColumn, trackOf } from "../charts/track.js";
import { FIRST_STATISTIC, STATISTICS } from "../link/statistics.js";

const REFETCH_MS = 900;
const HEIGHT = 120;
const MARGINS = 100;
/** A double click shows the whole run, which the page sees to. */
const CONFIG = Object.freeze({ doubleClick: false });

/**
 * The points that have a value, in a bucket any: between two of them the line goes on, for not every sample takes
 * each statistic.
 * @param {Omit<import("../charts/track.js").Track, "samples">} track
 */
export function taken(track) {
  const { steps, values, max, nonfinite } = track;
  const kept = [...steps.keys()].filter((i) => values[i] !== null || max[i] !== null || nonfinite[i] !== "");
  return eachColumn(track, (column) => kept.map((i) => column[i]));
}

export class Courses {
  /**
   * @param {HTMLElement} box
   * @param {string} api
   * @param {object} handlers
   * @param {(request: () => Promise<void>) => Promise<void>} handlers.guard runs a request, shows its failure
   * @param {(range: readonly [number, number] | null) => void} handlers.onRange steps, with fractions, were chosen; null for the whole run
   * @param {() => void} handlers.onChange
   */
  constructor(box, api, { guard, onRange, onChange }) {
    this.guard = guard;
    this.onRange = onRange;
    this.onChange = onChange;
    this.fetching = false;
    this.fetchedAt = -Infinity;
    /** @type {Set<HTMLElement>} plots that tell of gestures */
    this.listening = new Set();
    this.courses = Object.entries(STATISTICS).map(([stat, { label }]) => {
      const store = new SeriesStore(api);
      const latest = element("span", { class: "muted" });
      const plot = element("div", { class: "plot" });
      const hint = element("p", { class: "muted" });
      const figure = element("figure", {}, element("figcaption", {}, element("strong", {}, label), " ", latest), plot, hint);
      box.append(figure);
      return { stat: /** @type {StatisticName} */ (stat), store, figure, latest, plot, hint };
    });
  }

  /**
   * @param {string} name
   * @param {StepRange | null} range
   * @param {number | null} latest step of the latest sample
   * @param {Tokens} tokens
   */
  render(name, range, latest, tokens) {
    for (const { stat, store } of this.courses) store.choose(stat, range);
    void this.#fetchMissing(name, latest);
    for (const course of this.courses) void this.#draw(course, name, range, tokens);
  }

  /** Something may have been missed: fetch all again. */
  refresh() {
    for (const { store } of this.courses) store.refresh();
    this.fetchedAt = -Infinity;
  }

  /** Points that a plot has room for; it is hidden itself before there is something to draw. */
  get #room() {
    return Math.max(100, this.courses[0].figure.clientWidth - MARGINS);
  }

  /** A plot tells of gestures once it is drawn. @param {HTMLElement} plot */
  #listen(plot) {
    this.listening.add(plot);
    const drawn = /** @type {PlotlyElement} */ (plot);
    drawn.on?.("plotly_relayout", (change) => {
      const [first, last] = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
      if (typeof first === "number" && typeof last === "number") this.onRange([first, last]);
    });
    drawn.on?.("plotly_doubleclick", () => this.onRange(null));
  }

  /** @param {string} name @param {number | null} latest */
  async #fetchMissing(name, latest) {
    const other = this.courses.some(({ store }) => !store.byName.has(name));
    if (this.fetching || (!other && performance.now() - this.fetchedAt < REFETCH_MS)) return;
    const room = this.#room;
    const missing = this.courses.map(({ store }) => ({ store, byStart: store.missing([name], room, latest) }));
    if (missing.every(({ byStart }) => byStart.size === 0)) return;
    this.fetching = true;
    this.fetchedAt = performance.now();
    await this.guard(async () => {
      await Promise.all(missing.map(({ store, byStart }) => store.fetch([name], byStart, room, latest)));
    });
    this.fetching = false;
    this.onChange();
  }

  /**
   * @param {Courses["courses"][number]} course
   * @param {string} name
   * @param {StepRange | null} range
   * @param {Tokens} tokens
   */
  async #draw({ stat, store, latest, plot, hint }, name, range, tokens) {
    const series = store.byName.get(name);
    const values = series?.values.filter((value) => value !== null) ?? [];
    const everySample = series?.steps.length === series?.samples;
    const line = { ...(series ?? trackOf({ steps: [], values: [] })), name, everySample, color: tokens["series-1"], mark: "" };
    const missing = emptyWords([line], range, stat);
    plot.hidden = !(series?.max.some((value) => value !== null) ?? false) || missing !== "";
    hint.hidden = !plot.hidden;
    setText(hint, series === undefined ? "Reading it …" : missing || "No value in these steps.");
    setText(latest, values.length === 0 ? "" : formatNumber(values[values.length - 1]));
    const { clientWidth: width } = plot;
    if (series === undefined || plot.hidden || width === 0) return;
    const track = stat === FIRST_STATISTIC ? series : taken(series);
    const pane = { lines: [{ ...line, ...track }], log: true, title: "" };
    const size = { width, height: HEIGHT };
    const figure = lineFigure({ panes: [pane], marks: [], bands: [], bandWords: "", range, uirevision: null, tokens, ...size });
    await drawPlot(plot, figure, size, CONFIG);
    if (!this.listening.has(plot)) this.#listen(plot);
  }
}
