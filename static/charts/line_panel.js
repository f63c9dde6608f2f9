/**
 * The panel of lines over time: its tabs, its key, its chart, and the data behind them.
 *
 * @typedef {import("../model/crosshair.js").Crosshair} Crosshair
 * @typedef {import("../model/run_state.js").RunState} RunState
 * @typedef {import("../model/view_url.js").LineTab} LineTab
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 * @typedef {import("../model/view_url.js").View} View
 */
import { byId } from "../base/dom.js";
import { formatCount, plural } from "../base/format.js";
import { Memo } from "../base/memo.js";
import { Tabs } from "../base/tabs.js";
import { STATISTICS } from "../link/statistics.js";
import { isExplained } from "../model/explained.js";
import { stepMarks } from "../model/step_marks.js";
import { around, between } from "../model/step_range.js";
import { MAX_SELECTED, SMOOTHINGS, tabOf } from "../model/view_url.js";
import { BucketExtremes } from "./bucket_extremes.js";
import { ChartFiles, fileName } from "./chart_files.js";
import { drawnLines, lineStyle } from "./drawn_lines.js";
import { emptyWords, isEmpty } from "./empty_lines.js";
import { LineChart } from "./line_chart.js";
import { LineData } from "./line_data.js";
import { LineKey } from "./line_key.js";
import { LinePointer } from "./line_pointer.js";
import { linesCsv } from "./lines_csv.js";
import { RangeMovement } from "./range_movement.js";

export class LinePanel {
  /** @type {{view: View, tokens: Record<string, string>} | null} */
  #scene = null;
  #frame = 0;

  /**
   * @param {string} api
   * @param {RunState} state
   * @param {Crosshair} crosshair
   * @param {object} handlers
   * @param {(request: () => Promise<void>) => Promise<void>} handlers.guard runs a request, shows its failure
   * @param {() => void} handlers.onChange new data has come
   * @param {(name: string) => void} handlers.onToggle an entry of the key was clicked
   * @param {(tab: string) => void} handlers.onTab
   * @param {(stat: string) => void} handlers.onStatistic another statistic is to be drawn
   * @param {(points: string) => void} handlers.onSmoothing metrics are to be smoothed over so many points
   * @param {(scale: string) => void} handlers.onScale metrics are to have other axes
   * @param {(name: string) => void} handlers.onWhy a parameter is to be explained
   * @param {(range: StepRange | null, moved: boolean) => void} handlers.onRange other steps are to be shown, null for the whole run;
   *   were they moved to, bit by bit? Else they were chosen as they are.
   */
  constructor(api, state, crosshair, { guard, onChange, onToggle, onTab, onStatistic, onSmoothing, onScale, onWhy, onRange }) {
    this.state = state;
    this.data = new LineData(api, guard, onChange);
    this.tabs = new Tabs(byId("line-tabs", HTMLElement), onTab);
    this.statistic = byId("statistic", HTMLSelectElement);
    this.statistic.append(...Object.entries(STATISTICS).map(([name, { label }]) => new Option(label, name)));
    this.statistic.addEventListener("change", () => onStatistic(this.statistic.value));
    this.smoothing = byId("smoothing", HTMLSelectElement);
    this.smoothing.append(...SMOOTHINGS.map((points) => new Option(points === 0 ? "Not smoothed" : `Smoothed over ${points} points`, String(points))));
    this.smoothing.addEventListener("change", () => onSmoothing(this.smoothing.value));
    this.scale = byId("metric-scale", HTMLSelectElement);
    this.scale.addEventListener("change", () => onScale(this.scale.value));
    this.key = new LineKey(byId("key", HTMLElement), { onToggle, onWhy });
    const chart = byId("lines", HTMLElement);
    this.movement = new RangeMovement({ onMove: () => this.#ask(), onRest: onRange });
    this.pointer = new LinePointer(chart, crosshair, new BucketExtremes(api), this.movement);
    this.chart = new LineChart(chart, byId("resolution", HTMLElement), this.pointer, (range) =>
      this.movement.choose(range === null ? null : between(range[0] + 0.5, range[1] - 0.5, around(this.#whole, this.movement.range))),
    );
    this.wholeButton = byId("lines-whole", HTMLButtonElement);
    this.wholeButton.addEventListener("click", () => this.movement.choose(null));
    this.files = new ChartFiles(byId("line-files", HTMLElement), () => this.#saved());
    this.files.enable(false);
    this.drawn = new Memo();
  }

  /** The first and the latest step of the run: those of its samples, and of metrics that were logged before and behind them. */
  get #whole() {
    return around(this.state.steps, this.data.steps);
  }

  /** What is drawn, for files. */
  #saved() {
    const { drawn, picture } = this.chart;
    if (drawn === null || picture === null) return null;
    const { tab, lines, range, stat } = drawn;
    const what = tab === "metrics" ? "metrics" : stat;
    const steps = range === null ? "whole-run" : `${range[0]}-${range[1]}`;
    return { name: fileName([this.state.run?.name ?? "run", what, steps]), csv: linesCsv(lines, range), picture };
  }

  /**
   * How a selected parameter is drawn, in every view alike; null for one that is not.
   * @param {string} name
   * @param {View} view
   * @param {Record<string, string>} tokens
   */
  styleOf(name, { selected }, tokens) {
    const at = selected.indexOf(name);
    return at < 0 ? null : lineStyle(at, tokens);
  }

  /**
   * Draw what is known and looked at, and ask for what is missing.
   * @param {View} view
   * @param {Record<string, string>} tokens
   */
  draw(view, tokens) {
    const { state, chart, data, movement } = this;
    movement.follow(view.range);
    this.#scene = { view, tokens };
    if (document.hidden || !state.loaded || this.pointer.dragging) return;
    data.fetchMissing(view, chart.room, state.sampleStep);
    this.#draw({ ...view, range: movement.range }, tokens);
  }

  /** Draw what a movement has in sight with the next frame. */
  #ask() {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.#scene !== null && this.state.loaded) this.#draw({ ...this.#scene.view, range: this.movement.range }, this.#scene.tokens);
    });
  }

  /**
   * @param {View} view
   * @param {Record<string, string>} tokens
   */
  #draw(view, tokens) {
    const { state, chart, data } = this;
    const tab = tabOf(view);
    const { clientWidth: width, clientHeight: height } = chart.chart;
    const asking = tab === "parameters" ? view.selected.filter((name) => asks(name, state)) : [];
    this.statistic.hidden = tab !== "parameters";
    this.statistic.value = view.stat;
    this.smoothing.hidden = tab !== "metrics";
    this.smoothing.value = String(view.smooth);
    this.scale.hidden = tab !== "metrics";
    this.scale.value = view.scale;
    this.wholeButton.disabled = view.range === null;
    const chosen = [tab, view.stat, view.selected, view.metrics, view.range, view.smooth, view.scale, asking.join("\n")];
    if (!this.drawn.differs(data.version, state.commands, state.events, tokens, width, height, ...chosen)) return;
    this.tabs.show(tab);
    const { coarse, ...shown } = data.shown(view);
    const { key, ...drawn } = drawnLines(view, shown, chart.room, tokens);
    const { lines } = drawn;
    const missing = tab === "parameters" ? emptyWords(lines, view.range, view.stat) : "";
    const isBlank = missing !== "" && lines.every((line) => isEmpty(line, view.range));
    const isChosen = key.some((entry) => entry.shown);
    const without = isChosen ? emptyHint(view, coarse || !hasAll(view, shown.series)) : hintOf(tab, data.metricsKnown);
    const hint = isBlank ? missing : lines.length === 0 ? without : "";
    this.key.render(tab, key.map((entry) => ({ ...entry, asks: asking.includes(entry.name) })), drawn.bands);
    chart.render({
      tab,
      ...drawn,
      missing,
      range: view.range,
      stat: view.stat,
      scale: view.scale,
      whole: this.#whole,
      coarse,
      marks: stepMarks(state.commands, state.events),
      hint,
      tokens,
    });
    this.files.enable(chart.picture !== null);
  }
}

/**
 * Have all series come that a tab shows?
 * @param {View} view
 * @param {ReadonlyMap<string, unknown>} series
 */
function hasAll(view, series) {
  return tabOf(view) === "metrics" || view.selected.every((name) => series.has(name));
}

/**
 * What is said where there is nothing of what was chosen.
 * @param {View} view
 * @param {boolean} coming is something to come yet?
 */
function emptyHint({ range }, coming) {
  if (coming) return "Asking the server …";
  if (range === null) return "Nothing of what is chosen has been sampled yet.";
  return `Nothing was sampled at steps ${formatCount(range[0])} to ${formatCount(range[1])}. “Whole run” shows all there are.`;
}

/**
 * What a tab without lines says.
 * @param {LineTab} tab
 * @param {boolean} metricsKnown
 */
function hintOf(tab, metricsKnown) {
  if (tab === "metrics" && !metricsKnown) return "The server has not told yet which metrics there are.";
  return tab === "metrics"
    ? "No metrics yet: run.log(loss=loss) in the training loop shows them here."
    : `Click a parameter to see it over time. Ctrl-click, or P, adds one: up to ${plural(MAX_SELECTED, "line")}.`;
}

/**
 * @param {string} name
 * @param {RunState} state
 */
function asks(name, state) {
  const position = state.parameters.findIndex((each) => each.name === name);
  return position >= 0 && isExplained(position, state);
}
