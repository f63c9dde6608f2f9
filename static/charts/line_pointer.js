/**
 * The pointer, the wheel and the keys over the lines: the step that all charts point at, what the lines say
 * there, and other steps to be shown.
 *
 * @typedef {import("../link/statistics.js").StatisticName} StatisticName
 * @typedef {import("../model/crosshair.js").Crosshair} Crosshair
 * @typedef {import("../model/step_marks.js").StepMark} StepMark
 * @typedef {import("./bucket_extremes.js").BucketExtremes} BucketExtremes
 * @typedef {import("./line_reading.js").Reading} Reading
 * @typedef {import("./line_traces.js").Line} Line
 * @typedef {import("./range_movement.js").RangeMovement} RangeMovement
 * @typedef {import("./step_scale.js").StepScale} StepScale
 *
 * @typedef {object} LineScene what is drawn
 * @property {readonly Line[]} lines
 * @property {readonly StepMark[]} marks
 * @property {StatisticName | null} stat of parameters; null for metrics
 * @property {StepScale} scale
 * @property {import("../model/view_url.js").StepRange} whole the first and the latest step of the run
 */
import { element, find, setText } from "../base/dom.js";
import { formatCount, shortenMiddle } from "../base/format.js";
import { lineBadge } from "../base/glyphs.js";
import { visible } from "../base/visible.js";
import { followWheel } from "../base/wheel.js";
import { marksNear } from "../model/step_marks.js";
import { hasExtremes, readingAt, readingWords } from "./line_reading.js";

const REST_MS = 180;
const MARK_REACH_PX = 6;
const MOST_MARKS = 3;
const TIP_OFF = 14;

export class LinePointer {
  /** @type {LineScene | null} */
  #scene = null;
  /** @type {readonly [number, number] | null} where the pointer is in the window; null where the keyboard points */
  #at = null;
  #pointing = false;
  #resting = 0;

  /**
   * @param {HTMLElement} chart
   * @param {Crosshair} crosshair
   * @param {BucketExtremes} extremes
   * @param {RangeMovement} movement
   */
  constructor(chart, crosshair, extremes, movement) {
    this.chart = chart;
    this.plot = find(chart, ".plot");
    this.rule = find(chart, ".crosshair");
    this.tip = find(chart, ".tip");
    this.said = find(chart, ".said");
    this.crosshair = crosshair;
    this.extremes = extremes;
    this.movement = movement;
    /** Is a drag going on? */
    this.dragging = false;
    crosshair.listen(() => this.#draw());
    this.plot.addEventListener("pointermove", (event) => this.#move(event));
    this.plot.addEventListener("pointerdown", () => (this.dragging = true));
    window.addEventListener("pointerup", () => (this.dragging = false));
    window.addEventListener("pointercancel", () => (this.dragging = false));
    this.plot.addEventListener("pointerleave", () => this.#leave());
    this.plot.addEventListener("blur", () => this.#leave());
    this.plot.addEventListener("keydown", (event) => this.#key(event));
    followWheel(this.plot, { zoom: (factor, event) => this.#zoom(factor, event), pan: (distance) => this.#pan(distance) });
  }

  /** Other lines are drawn; null for none. @param {LineScene | null} scene */
  show(scene) {
    this.#scene = scene;
    this.#draw();
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const step = this.#scene?.scale.stepAt(event.clientX - this.chart.getBoundingClientRect().left) ?? null;
    this.#at = [event.clientX, event.clientY];
    this.#pointing = step !== null;
    this.crosshair.point(step);
    this.#draw();
    this.#rest();
  }

  #leave() {
    if (!this.#pointing) return;
    this.#pointing = false;
    clearTimeout(this.#resting);
    this.crosshair.point(null);
    this.#draw();
  }

  /** The steps of extremes are asked for when the pointer rests. */
  #rest() {
    clearTimeout(this.#resting);
    this.#resting = window.setTimeout(() => void this.#askExtremes(), REST_MS);
  }

  async #askExtremes() {
    const asked = this.#buckets().filter((bucket) => this.extremes.get(bucket) === null);
    if (asked.length === 0) return;
    // What fails is asked for when the pointer rests again; until then the bucket's steps are told.
    await Promise.allSettled(asked.map((bucket) => this.extremes.fetch(bucket)));
    this.#draw();
  }

  /** The readings at the crosshair. */
  #readings() {
    const [scene, step] = [this.#scene, this.crosshair.step];
    if (scene === null || step === null) return [];
    return scene.lines.flatMap((line) => {
      const reading = readingAt(line, step);
      return reading === null ? [] : [{ line, reading }];
    });
  }

  /** The buckets at the crosshair that have extremes. */
  #buckets() {
    const stat = this.#scene?.stat ?? null;
    const found = this.#readings().filter(({ line, reading }) => !line.everySample && hasExtremes(reading));
    return found.map(({ reading }) => bucketOf(reading, stat));
  }

  #draw() {
    const [scene, step] = [this.#scene, this.crosshair.step];
    const isSeen = scene !== null && step !== null && scene.scale.holds(step);
    this.rule.hidden = !isSeen;
    this.tip.hidden = !isSeen || !this.#pointing;
    if (!isSeen) return;
    this.rule.style.left = `${scene.scale.xOf(step)}px`;
    this.rule.style.height = `${this.plot.clientHeight}px`;
    if (this.#pointing) this.#drawTip(scene, step);
  }

  /**
   * @param {LineScene} scene
   * @param {number} step
   */
  #drawTip(scene, step) {
    const near = marksNear(scene.marks, step, Math.max(0.5, MARK_REACH_PX / scene.scale.perStep)).slice(0, MOST_MARKS);
    this.tip.replaceChildren(
      element("strong", {}, `Step ${formatCount(step)}`),
      ...this.#readings().map(({ line, reading }) => readingEntry(line, this.#words(reading))),
      ...near.map((mark) => element("span", {}, `${formatCount(mark.step)}: ${visible(mark.label)}`)),
    );
    const box = this.plot.getBoundingClientRect();
    const [x, y] = this.#at ?? [box.left + scene.scale.xOf(step), box.top + TIP_OFF];
    const { offsetWidth: width, offsetHeight: height } = this.tip;
    const left = x + TIP_OFF + width > window.innerWidth ? x - TIP_OFF - width : x + TIP_OFF;
    this.tip.style.left = `${Math.max(4, Math.min(left, window.innerWidth - width - 4))}px`;
    this.tip.style.top = `${Math.max(4, Math.min(y + TIP_OFF, window.innerHeight - height - 4))}px`;
  }

  /** @param {Reading} reading */
  #words(reading) {
    return readingWords(reading, this.extremes.get(bucketOf(reading, this.#scene?.stat ?? null)));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.#press(event.key, event.shiftKey)) return;
    event.preventDefault();
  }

  /**
   * @param {string} key
   * @param {boolean} shift
   */
  #press(key, shift) {
    const scene = this.#scene;
    if (scene === null) return false;
    const way = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (way !== undefined && shift) this.#walk(way, scene);
    else if (this.movement.press(key, this.crosshair.step, this.#sight(scene))) return true;
    else if (key === "Escape" && this.#pointing) this.#leave();
    else return false;
    return true;
  }

  /**
   * What a movement starts from: of the whole run what the lines take up, which may have begun late or ended early.
   * @param {LineScene} scene
   * @returns {import("./range_movement.js").Sight}
   */
  #sight({ scale, whole }) {
    return { shown: this.movement.range ?? scale.stepsOf(whole), whole };
  }

  /**
   * Where there are more panes than the chart is high, the wheel scrolls them, and zooms with Ctrl.
   * @param {number} factor
   * @param {WheelEvent} event
   */
  #zoom(factor, { clientX, ctrlKey }) {
    const scene = this.#scene;
    const scrolls = this.chart.scrollHeight > this.chart.clientHeight;
    if (scene === null || (scrolls && !ctrlKey)) return false;
    const at = scene.scale.placeAt(clientX - this.chart.getBoundingClientRect().left);
    return this.movement.zoom(factor, at, this.#sight(scene));
  }

  /** @param {number} distance px */
  #pan(distance) {
    if (this.#scene !== null) this.movement.pan(distance / this.#scene.scale.perStep, this.#sight(this.#scene));
  }

  /**
   * Point at the next point to a side, and say what is there.
   * @param {number} way
   * @param {LineScene} scene
   */
  #walk(way, { scale }) {
    const step = this.crosshair.step ?? Math.round((scale.range[0] + scale.range[1]) / 2);
    const next = step + way * Math.max(1, Math.round(2 / scale.perStep));
    this.#at = null;
    this.#pointing = true;
    this.crosshair.point(Math.round(Math.max(Math.ceil(scale.range[0]), Math.min(Math.floor(scale.range[1]), next))));
    const told = this.#readings().map(({ line, reading }) => `${line.name}: ${this.#words(reading).join(", ")}`);
    setText(this.said, visible([`Step ${this.crosshair.step}`, ...told].join(". ")));
    this.#draw();
    this.#rest();
  }
}

/**
 * @param {Reading} reading
 * @param {StatisticName | null} stat
 */
function bucketOf({ name, steps }, stat) {
  return { name, stat, steps };
}

/**
 * @param {Line} line
 * @param {readonly string[]} words
 */
function readingEntry({ name, color, mark }, words) {
  const label = element("span", { class: "of" }, lineBadge({ color, mark }), ` ${visible(shortenMiddle(name, 48))}`);
  return element("span", { class: "reading" }, label, ...words.map((text) => element("span", {}, text)));
}
