/**
 * The pointer and the keys over the lines: the step that all charts point at, what the lines say there, and
 * other steps to be shown.
 *
 * @typedef {import("../link/statistics.js").StatisticName} StatisticName
 * @typedef {import("../model/crosshair.js").Crosshair} Crosshair
 * @typedef {import("../model/step_marks.js").StepMark} StepMark
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 * @typedef {import("./bucket_extremes.js").BucketExtremes} BucketExtremes
 * @typedef {import("./line_reading.js").Reading} Reading
 * @typedef {import("./line_traces.js").Line} Line
 * @typedef {import("./step_scale.js").StepScale} StepScale
 *
 * @typedef {object} LineScene what is drawn
 * @property {readonly Line[]} lines
 * @property {readonly StepMark[]} marks
 * @property {StatisticName | null} stat of parameters; null for metrics
 * @property {StepScale} scale
 * @property {number} reached the latest step of the run
 */
import { element, find, setText } from "../base/dom.js";
import { formatCount, shortenMiddle } from "../base/format.js";
import { lineBadge } from "../base/glyphs.js";
import { visible } from "../base/visible.js";
import { marksNear } from "../model/step_marks.js";
import { panned, zoomed } from "../model/step_range.js";
import { hasExtremes, readingAt, readingWords } from "./line_reading.js";

const REST_MS = 180;
/** Movements that are closer together are one, which Back undoes as one. */
const MOVEMENT_MS = 1200;
const MARK_REACH_PX = 6;
const MOST_MARKS = 3;
const KEY_ZOOM = 1.5;
const KEY_PAN = 0.2;
const TIP_OFF = 14;

export class LinePointer {
  /** @type {LineScene | null} */
  #scene = null;
  /** @type {readonly [number, number] | null} where the pointer is in the window; null where the keyboard points */
  #at = null;
  #pointing = false;
  #resting = 0;
  #movedAt = -Infinity;

  /**
   * @param {HTMLElement} chart
   * @param {Crosshair} crosshair
   * @param {BucketExtremes} extremes
   * @param {(range: StepRange | null, goesOn: boolean) => void} onRange
   */
  constructor(chart, crosshair, extremes, onRange) {
    this.chart = chart;
    this.plot = find(chart, ".plot");
    this.rule = find(chart, ".crosshair");
    this.tip = find(chart, ".tip");
    this.said = find(chart, ".said");
    this.crosshair = crosshair;
    this.extremes = extremes;
    this.onRange = onRange;
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
    const first = Math.max(0, Math.ceil(scene.scale.range[0]));
    return scene.lines.flatMap((line) => {
      const reading = readingAt(line, step, first);
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
    const whole = /** @type {const} */ ([0, scene.reached]);
    const [first, last] = scene.scale.range;
    const range = /** @type {const} */ ([Math.max(0, Math.ceil(first)), Math.min(scene.reached, Math.floor(last))]);
    const way = { ArrowLeft: -1, ArrowRight: 1 }[key];
    const middle = this.crosshair.step ?? (range[0] + range[1] + 1) / 2;
    if (way !== undefined && shift) this.#walk(way, scene);
    else if (way !== undefined) this.#show(panned(range, way * Math.max(1, (last - first) * KEY_PAN), whole));
    else if (key === "+" || key === "=") this.#show(zoomed(range, 1 / KEY_ZOOM, middle, whole));
    else if (key === "-") this.#show(zoomed(range, KEY_ZOOM, middle, whole));
    else if (key === "Home") this.#show(null);
    else if (key === "Escape" && this.#pointing) this.#leave();
    else return false;
    return true;
  }

  /** @param {StepRange | null} range */
  #show(range) {
    const goesOn = performance.now() - this.#movedAt < MOVEMENT_MS;
    this.#movedAt = performance.now();
    this.onRange(range, goesOn);
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
