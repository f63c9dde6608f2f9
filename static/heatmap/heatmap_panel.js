/**
 * The heat map of a run: parameters, or the modules that they are in, by steps.
 *
 * @typedef {import("../model/run_state.js").RunState} RunState
 * @typedef {import("../model/crosshair.js").Crosshair} Crosshair
 * @typedef {import("../model/view_url.js").View} View
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 * @typedef {import("../model/step_marks.js").StepMark} StepMark
 *
 * @typedef {object} HeatmapActions
 * @property {(request: () => Promise<void>) => Promise<void>} guard
 * @property {(range: StepRange | null, moved: boolean) => void} onRange were they moved to, bit by bit? Else they were chosen as they are
 * @property {(step: number) => void} onReach the run has a sample of this step
 * @property {(stat: string) => void} onStatistic
 * @property {(figure: string) => void} onFigure
 * @property {(colors: readonly [number, number] | null) => void} onColors ends that are chosen, null for none
 * @property {(within: string) => void} onOpen a module, or neighbours that share a row
 * @property {(name: string) => void} onSelect
 */
import { byId, element, find, setAttribute, setText } from "../base/dom.js";
import { formatCount } from "../base/format.js";
import { kept } from "../base/kept.js";
import { visible } from "../base/visible.js";
import { RangeMovement } from "../charts/range_movement.js";
import { STATISTICS } from "../link/statistics.js";
import { decadeDomain } from "../model/norm_scale.js";
import { marksNear, stepMarks } from "../model/step_marks.js";
import { around, between } from "../model/step_range.js";
import { CELL_FIGURES } from "../model/view_url.js";
import { figuresOf, groupFigureOf, groupQuery, seriesQuery } from "./cell_figures.js";
import { drawnColumn } from "./cell_painting.js";
import { CellReader } from "./cell_reader.js";
import { ColorFields } from "./color_fields.js";
import { HeatmapData } from "./heatmap_data.js";
import { covers, HeatmapDrawing } from "./heatmap_drawing.js";
import { HeatmapGestures } from "./heatmap_gestures.js";
import { roomOf, rowAt, TOP } from "./heatmap_layout.js";
import { modulesAround, rowToOpen } from "./heatmap_request.js";
import { captionOf, cellLines, exactLines, groupLines, FIGURES, rowLabel } from "./heatmap_words.js";
import { StepAxis } from "./step_axis.js";

const FOLDED_KEY = "gradgate-heatmap-folded";
const MARK_REACH_PX = 5;
const MOST_MARKS = 3;

/** One thing for all its methods: most are a line or two for one gesture. */
export class HeatmapPanel {
  /** @type {{state: RunState, view: View, tokens: Record<string, string>} | null} */
  #scene = null;
  /** @type {readonly [number, number] | null} */
  #domain = null;
  #domainOf = "";
  /** @type {readonly StepMark[]} */
  #marks = [];
  #row = -1;
  #frame = 0;
  /** @type {readonly [number, number] | null} */
  #brush = null;

  /**
   * @param {HTMLElement} panel
   * @param {string} api
   * @param {Crosshair} crosshair
   * @param {HeatmapActions} actions
   */
  constructor(panel, api, crosshair, actions) {
    this.panel = panel;
    this.crosshair = crosshair;
    this.actions = actions;
    this.canvas = /** @type {HTMLCanvasElement} */ (find(panel, "canvas"));
    this.drawing = new HeatmapDrawing(this.canvas);
    this.movement = new RangeMovement({ onMove: () => this.#ask(), onRest: actions.onRange });
    this.cellReader = new CellReader(api, () => this.#pointAgain());
    this.data = new HeatmapData(api, actions.guard, () => this.#answered());
    this.caption = find(panel, ".caption");
    this.hint = find(panel, ".hint");
    this.tip = find(panel, ".tip");
    this.said = find(panel, ".said");
    this.crumbs = find(panel, ".crumbs");
    this.wholeButton = byId("heatmap-whole", HTMLButtonElement);
    this.fold = byId("heatmap-fold", HTMLButtonElement);
    this.statistic = byId("heatmap-statistic", HTMLSelectElement);
    this.figure = byId("heatmap-figure", HTMLSelectElement);
    this.colors = new ColorFields(byId("heatmap-low", HTMLInputElement), byId("heatmap-high", HTMLInputElement), (colors) => actions.onColors(colors));
    this.#fill();
    this.#listen();
  }

  #fill() {
    for (const [name, { label }] of Object.entries(STATISTICS)) this.statistic.append(element("option", { value: name }, label));
    for (const figure of CELL_FIGURES) this.figure.append(element("option", { value: figure }, FIGURES[figure]));
    this.#setFolded(kept.getItem(FOLDED_KEY) === "true");
  }

  #listen() {
    this.statistic.addEventListener("change", () => this.actions.onStatistic(this.statistic.value));
    this.figure.addEventListener("change", () => this.actions.onFigure(this.figure.value));
    this.wholeButton.addEventListener("click", () => this.movement.choose(null));
    this.fold.addEventListener("click", () => {
      this.#setFolded(!this.folded);
      kept.setItem(FOLDED_KEY, String(this.folded));
      this.#ask();
    });
    this.crosshair.listen(() => this.#ask());
    new ResizeObserver(() => this.#ask()).observe(this.canvas);
    this.gestures = new HeatmapGestures(this.canvas, {
      zoom: (factor, x) => this.#zoom(factor, this.#axis?.stepAt(x) ?? null),
      pan: (distance) => this.#pan(distance / (this.#axis?.perStep ?? 1)),
      brush: (from, to) => this.#drawBrush([from, to]),
      choose: (from, to) => this.#choose(from, to),
      cancel: () => this.#drawBrush(null),
      whole: () => this.movement.choose(null),
      point: (x, y) => {
        this.#spoken = false;
        this.#point(x, y);
      },
      leave: () => this.#leave(),
      open: (x, y) => this.#open(this.#rowAt(y), x),
      press: (key, shift) => this.#press(key, shift),
      // Along the axis, and over the whole run, which cannot be moved.
      chooses: (y) => this.movement.range === null || y > TOP + (this.#layout?.height ?? Infinity),
    });
    this.canvas.addEventListener("blur", () => this.#leave());
  }

  get folded() {
    return this.fold.getAttribute("aria-expanded") === "false";
  }

  /** @param {boolean} folded */
  #setFolded(folded) {
    setAttribute(this.fold, "aria-expanded", String(!folded));
    find(this.panel, ".body").hidden = folded;
    find(this.panel, ".controls").hidden = folded;
  }

  /**
   * Draw what is known and looked at, and ask for what is missing.
   * @param {RunState} state
   * @param {View} view
   * @param {Record<string, string>} tokens
   */
  render(state, view, tokens) {
    this.#scene = { state, view, tokens };
    this.movement.follow(view.range);
    this.#marks = stepMarks(state.commands, state.events);
    if (this.statistic.value !== view.stat) this.statistic.value = view.stat;
    if (this.figure.value !== view.of) this.figure.value = view.of;
    this.#showCrumbs(view.within);
    this.#ask();
  }

  /** Another answer of the server is there, or none is coming. */
  #answered() {
    const whole = this.#whole;
    if (whole !== null) this.actions.onReach(whole[0]);
    this.#pointAgain();
    this.#ask();
  }

  /** Draw with the next frame. */
  #ask() {
    if (this.#frame === 0 && this.#scene !== null) this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#frame = 0;
    const scene = this.#scene;
    if (scene === null || this.folded || this.canvas.clientWidth === 0) return;
    const { state, view, tokens } = scene;
    const subject = { stat: view.stat, of: view.of, within: view.within };
    const latest = this.#latest;
    const room = roomOf(this.canvas.clientWidth, this.canvas.clientHeight);
    if (state.loaded) void this.data.fetchMissing({ subject, room, range: this.movement.range, latest });
    setAttribute(this.canvas, "aria-busy", this.data.fetching ? "true" : null);
    const { overview, detail } = this.data;
    const range = this.#shown;
    this.wholeButton.disabled = this.movement.range === null;
    this.#showHint();
    if (overview === null || range === null) return;
    this.#domain = this.#domainFor(overview);
    this.colors.render(view.colors, this.#domain);
    const { step } = this.crosshair;
    this.drawing.draw({
      overview,
      // Over the whole run, which is not asked for again in detail, what is finer would look lower.
      detail: this.movement.range === null ? null : detail,
      range,
      domain: view.colors === null ? this.#domain : [Math.log10(view.colors[0]), Math.log10(view.colors[1])],
      tokens,
      selected: view.selected,
      marks: this.#marks,
      step,
      row: this.#row,
      brush: this.#brush,
    });
    const { cells, subject: shown } = this.#seen ?? overview;
    setText(this.caption, captionOf(cells, range, this.#layout?.width ?? 1, shown.of, shown.stat));
  }

  /**
   * The page's own domain where it holds the values, so that a colour means the same everywhere.
   * @param {import("./heatmap_data.js").Answer} overview
   */
  #domainFor({ cells, subject }) {
    const key = `${subject.stat} ${subject.within}`;
    const before = key === this.#domainOf ? this.#domain : null;
    this.#domainOf = key;
    const shared = subject.stat === "grad_norm" ? (this.#scene?.state.domain ?? null) : null;
    return decadeDomain(cells.extent(0.01), before ?? shared, 0);
  }

  #showHint() {
    const { overview } = this.data;
    const [first, last] = this.movement.range ?? [0, 0];
    const whole = this.#grown;
    let hint = "";
    const { failure } = this.data;
    if (failure !== "" && overview?.subject.within !== this.#scene?.view.within) hint = failure;
    else if (overview === null) hint = "Asking the server …";
    else if (this.#scene?.state.parameters.length === 0) hint = "This model has no parameters.";
    else if (whole === null) hint = "No sample yet: rows appear with the first.";
    else if (this.movement.range !== null && (first > whole[1] || last < whole[0])) {
      hint = `No sample at steps ${formatCount(first)} to ${formatCount(last)}: the run has steps ${formatCount(whole[0])} to ${formatCount(whole[1])}. “Whole run” shows them.`;
    }
    this.hint.hidden = hint === "";
    setText(this.hint, hint);
  }

  /** What is open and the modules around it, each a button that opens it. @param {string} within */
  #showCrumbs(within) {
    if (this.crumbs.dataset["of"] === within) return;
    this.crumbs.dataset["of"] = within;
    this.crumbs.hidden = within === "";
    const around = ["", ...modulesAround(within)];
    this.crumbs.replaceChildren(
      ...around.map((path, i) => {
        const label = path === "" ? "All" : visible(rowLabel(path, around[i - 1]));
        const crumb = element("button", { type: "button", class: "crumb", title: path === "" ? "The whole model" : visible(path) }, label);
        if (i === around.length - 1) crumb.setAttribute("aria-current", "true");
        crumb.addEventListener("click", () => this.actions.onOpen(path));
        return crumb;
      }),
    );
  }

  /** The steps of the whole run, when it was last asked for. */
  get #whole() {
    return this.data.overview?.cells.steps ?? null;
  }

  /** Those of the run by now: it is not asked for again while a part of it is in sight. @type {StepRange | null} */
  get #grown() {
    const whole = this.#whole;
    return whole === null ? null : [whole[0], Math.max(whole[1], this.#latest ?? 0)];
  }

  /** The step of the latest sample; null while nothing is known. */
  get #latest() {
    const { state } = this.#scene ?? {};
    return state === undefined || state.run === null ? null : Math.max(state.sampleStep ?? 0, state.run.sample_step ?? 0);
  }

  /** The steps in sight. */
  get #shown() {
    return this.movement.range ?? this.#whole;
  }

  get #layout() {
    const { overview } = this.data;
    return overview === null ? null : this.drawing.layout(overview.cells.names.length);
  }

  get #axis() {
    const [layout, range] = [this.#layout, this.#shown];
    return layout === null || range === null ? null : new StepAxis(range, layout.left, layout.width);
  }

  /** The finest answer that covers what is in sight. */
  get #seen() {
    const { overview, detail } = this.data;
    const range = this.#shown;
    return detail !== null && range !== null && this.movement.range !== null && covers(detail, range) ? detail : overview;
  }

  /** @param {number} y */
  #rowAt(y) {
    const layout = this.#layout;
    return layout === null ? -1 : rowAt(layout, y, this.data.overview?.cells.names.length ?? 0);
  }

  /** What a movement starts from; null while nothing is known. */
  get #sight() {
    const [shown, whole] = [this.#shown, this.#grown];
    return shown === null || whole === null ? null : { shown, whole };
  }

  /**
   * @param {number} factor
   * @param {number | null} at step, null for the middle
   */
  #zoom(factor, at) {
    const sight = this.#sight;
    return sight !== null && this.movement.zoom(factor, at, sight);
  }

  /** @param {number} steps */
  #pan(steps) {
    const sight = this.#sight;
    if (sight !== null) this.movement.pan(steps, sight);
  }

  /** Where the pointer is over the cells, and at which step where a key led there. @type {[number, number, number | null] | null} */
  #pointer = null;
  /** Is what is there said, too: did the keyboard lead to it? */
  #spoken = false;

  /** @param {readonly [number, number] | null} brush */
  #drawBrush(brush) {
    this.#brush = brush;
    this.#ask();
  }

  /**
   * @param {number} from
   * @param {number} to
   */
  #choose(from, to) {
    this.#drawBrush(null);
    const [axis, whole] = [this.#axis, this.#grown];
    if (axis === null || whole === null) return;
    this.movement.choose(between(axis.wholeStepAt(from), axis.wholeStepAt(to), around(whole, this.movement.range)));
  }

  /**
   * Show what is at a place; say it where the keyboard led to it.
   * @param {number} x
   * @param {number} y
   * @param {number | null} [at] step, null for that of the cell that is drawn there
   */
  #point(x, y, at = null) {
    this.#pointer = [x, y, at];
    const [axis, layout] = [this.#axis, this.#layout];
    if (axis === null || layout === null) return;
    const inside = x >= layout.left && x < layout.left + layout.width && y >= 0;
    this.#row = this.#rowAt(y);
    const step = at ?? this.#stepAt(x, axis);
    this.crosshair.point(inside ? step : null);
    this.#ask();
    const lines = inside ? this.#linesAt(step, axis) : this.#row < 0 ? [] : [this.#rowWords(this.#row)];
    this.#showTip(lines, x, y);
    if (this.#spoken) this.#say(lines.join(". "));
  }

  /** What the cell under a step is read from. @param {number} step */
  #answerAt(step) {
    return this.#seen?.cells.reaches(step) ? this.#seen : this.data.overview;
  }

  /**
   * The step at a place: one of the cell that is drawn there.
   * @param {number} x
   * @param {StepAxis} axis
   */
  #stepAt(x, axis) {
    const step = axis.wholeStepAt(x);
    const answer = this.#answerAt(step);
    const range = answer?.range ?? answer?.cells.steps ?? null;
    if (answer === null || range === null || this.#row < 0) return step;
    const { cells } = answer;
    const column = drawnColumn(cells, this.#row, range, axis, x, window.devicePixelRatio || 1);
    return column < 0 || (cells.first[column] <= step && step < cells.ends[column]) ? step : cells.first[column];
  }

  /**
   * @param {number} step
   * @param {StepAxis} axis
   */
  #linesAt(step, axis) {
    const near = marksNear(this.#marks, step, Math.max(0.5, MARK_REACH_PX / axis.perStep)).slice(0, MOST_MARKS);
    const marks = near.map((mark) => `${formatCount(mark.step)}: ${mark.label}`);
    const answer = this.#answerAt(step);
    if (answer === null || this.#row < 0) return marks;
    return [...this.#cellWords(answer, step), ...marks];
  }

  /**
   * What is at a cell; the figures are the server's own once they have come.
   * @param {import("./heatmap_data.js").Answer} answer
   * @param {number} step
   */
  #cellWords({ cells, subject: { of, stat } }, step) {
    const lines = cellLines(cells, this.#row, step, of, stat);
    const column = cells.columnAt(step);
    if (column < 0) return lines;
    const cell = { row: cells.names[this.#row], of, stat, first: cells.first[column], last: cells.last[column] };
    if (cells.sizes[this.#row] === 1) {
      const series = this.cellReader.answer(seriesQuery(cell));
      return series === null || series.samples === 0 ? lines : exactLines(lines, figuresOf(series), stat);
    }
    const rows = this.cellReader.answer(groupQuery(cell));
    const figure = rows === null ? null : groupFigureOf(rows, cell);
    return figure === null ? lines : groupLines(lines, figure, cell);
  }

  /** Say anew what is under the pointer: other rows are there, or more is known. */
  #pointAgain() {
    if (this.#pointer !== null && !this.tip.hidden) this.#point(...this.#pointer);
  }

  /** @param {number} row */
  #rowWords(row) {
    const { names = [], sizes = [] } = this.data.overview?.cells ?? {};
    return sizes[row] === 1 ? names[row] : `${names[row]} (${formatCount(sizes[row])} parameters)`;
  }

  /**
   * @param {readonly string[]} lines
   * @param {number} x
   * @param {number} y
   */
  #showTip(lines, x, y) {
    this.tip.hidden = lines.length === 0;
    if (lines.length === 0) return;
    const shown = lines.map(visible);
    this.tip.replaceChildren(...shown.map((text, i) => element(i === 0 ? "strong" : "span", {}, text)));
    const { clientWidth, clientHeight } = this.canvas;
    const left = x + 14 + this.tip.offsetWidth > clientWidth ? x - 14 - this.tip.offsetWidth : x + 14;
    this.tip.style.left = `${Math.max(0, left)}px`;
    this.tip.style.top = `${Math.min(y + 14, Math.max(0, clientHeight - 24))}px`;
  }

  #leave() {
    this.#pointer = null;
    this.#spoken = false;
    this.#say("");
    this.#row = -1;
    this.tip.hidden = true;
    this.crosshair.point(null);
    this.#ask();
  }

  /**
   * A row of several parameters opens, a parameter's selects it.
   * @param {number} row
   * @param {number} x
   */
  #open(row, x) {
    const { overview } = this.data;
    if (overview === null || row < 0) return;
    const [name, size] = [overview.cells.names[row], overview.cells.sizes[row]];
    const step = this.#axis?.wholeStepAt(x) ?? null;
    if (size === 1 && this.#scene?.state.parameters.some((parameter) => parameter.name === name)) {
      if (!this.#scene.view.selected.includes(name)) this.actions.onSelect(name);
      this.crosshair.point(step);
      return;
    }
    const inside = rowToOpen(name, overview.subject.within);
    if (inside !== null) this.actions.onOpen(inside);
    else this.#tellOfSharing(name, row, x);
  }

  /**
   * @param {string} name of a row that cannot be opened
   * @param {number} row
   * @param {number} x
   */
  #tellOfSharing(name, row, x) {
    const sentence = "These share a row, because there is no room for one each. A larger window has more.";
    const layout = this.#layout;
    if (layout !== null) this.#showTip([name, sentence], x, this.#middleOf(row, layout));
    this.#say(`${name}: ${sentence}`);
  }

  /**
   * @param {number} row
   * @param {import("./heatmap_layout.js").Layout} layout
   */
  #middleOf(row, layout) {
    return TOP + (row + 0.5) * layout.rowHeight;
  }

  /** @param {string} sentence */
  #say(sentence) {
    setText(this.said, visible(sentence));
  }

  /**
   * @param {string} key
   * @param {boolean} shift
   */
  #press(key, shift) {
    const [range, sight] = [this.#shown, this.#sight];
    if (range === null || sight === null) return false;
    const way = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (way !== undefined && shift) this.#walk(way, 0);
    else if (this.movement.press(key, this.crosshair.step, sight)) return true;
    else if (key === "ArrowUp") this.#walk(0, -1);
    else if (key === "ArrowDown") this.#walk(0, 1);
    else if (key === "Enter") this.#open(this.#row, this.#axis?.xOf(this.crosshair.step ?? range[0]) ?? 0);
    else if (key === "Backspace") this.actions.onOpen(modulesAround(this.#scene?.view.within ?? "").at(-2) ?? "");
    else return false;
    return true;
  }

  /**
   * Move the cell that the keyboard is at, and say what is there.
   * @param {number} columns
   * @param {number} rows
   */
  #walk(columns, rows) {
    const [axis, layout, answer] = [this.#axis, this.#layout, this.#seen];
    if (axis === null || layout === null || answer === null) return;
    const { names } = answer.cells;
    this.#row = Math.min(names.length - 1, Math.max(0, this.#row + rows));
    const stride = Math.max(1, Math.round(2 / axis.perStep));
    const [first, last] = axis.range;
    const step = Math.min(last, Math.max(first, (this.crosshair.step ?? Math.floor((first + last) / 2)) + columns * stride));
    this.#spoken = true;
    this.#point(axis.xOf(step + 0.5), this.#middleOf(this.#row, layout), step);
  }
}
