/**
 * The picture of one distribution: its bars, the axis below them, and the norms of the rows.
 *
 * @typedef {import("../wire.js").Distribution} Distribution
 * @typedef {import("../wire.js").RowNorms} RowNorms
 */
import { element, setAttribute, setText } from "../base/dom.js";
import { barWords, countWords, normWords, rowWords, uncountedRowWords } from "./distribution_words.js";
import { barsOf, ticksOf } from "./octave_bars.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 96;
const AXIS = 16;
const ROWS = 36;
const LEAST_WIDTH = 120;

/** A picture whose marks can be pointed at, by a pointer or by the arrow keys; what is pointed at is said below it. */
class Pointed {
  /** @param {SVGElement} picture @param {HTMLElement} words */
  constructor(picture, words) {
    this.picture = picture;
    this.words = words;
    /** @type {readonly string[]} of each mark, from the left */
    this.marks = [];
    /** @type {number | null} the mark that is pointed at */
    this.at = null;
    picture.addEventListener("keydown", (event) => this.#key(event));
    picture.addEventListener("pointermove", (event) => this.#move(event));
    picture.addEventListener("pointerleave", () => this.#point(null));
    picture.addEventListener("blur", () => this.#point(null));
  }

  /** @param {readonly string[]} marks what is said of each */
  show(marks) {
    this.marks = marks;
    this.#point(this.at);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const last = this.marks.length - 1;
    const from = this.at ?? (event.key === "ArrowLeft" ? last + 1 : -1);
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last }[event.key];
    if (to === undefined || last < 0) return;
    event.preventDefault();
    this.#point(Math.min(last, Math.max(0, to)));
  }

  /** A small mark can be pointed at above it, too. @param {PointerEvent} event */
  #move(event) {
    const { left } = this.picture.getBoundingClientRect();
    const x = event.clientX - left;
    const hit = [...this.picture.querySelectorAll("rect")].findIndex((rect) => {
      const start = Number(rect.getAttribute("x"));
      return x >= start - 0.5 && x < start + Number(rect.getAttribute("width")) + 0.5;
    });
    this.#point(hit < 0 ? null : hit);
  }

  /** @param {number | null} at */
  #point(at) {
    this.at = at !== null && at < this.marks.length ? at : null;
    [...this.picture.querySelectorAll("rect")].forEach((rect, i) => rect.classList.toggle("pointed", i === this.at));
    setText(this.words, this.at === null ? "" : this.marks[this.at]);
  }
}

export class DistributionFigure {
  /** @param {HTMLElement} figure @param {string} title */
  constructor(figure, title) {
    this.figure = figure;
    this.title = title;
    this.words = element("span", { class: "muted" });
    this.bars = picture("bars", HEIGHT + AXIS);
    this.rowWords = element("span", { class: "muted" });
    this.rowLine = element("p", { class: "row-words" }, this.rowWords);
    this.rows = picture("row-norms", ROWS);
    const said = element("p", { class: "pointed-words", "aria-live": "polite" });
    this.pointedBars = new Pointed(this.bars, said);
    this.pointedRows = new Pointed(this.rows, said);
    figure.replaceChildren(element("figcaption", {}, element("strong", {}, title), " ", this.words), this.bars, this.rowLine, this.rows, said);
  }

  /**
   * @param {Distribution | null} distribution
   * @param {string} missing why there is none
   * @param {{ numel: number, shape: readonly number[] }} whole the whole parameter
   */
  render(distribution, missing, whole) {
    this.bars.toggleAttribute("hidden", distribution === null);
    this.#drawRows(distribution?.rows ?? null);
    const uncounted = uncountedRowWords(distribution, whole);
    this.rows.classList.toggle("vacant", uncounted !== "");
    if (uncounted !== "") {
      for (const each of [this.rows, this.rowLine]) each.toggleAttribute("hidden", false);
      setText(this.rowWords, uncounted);
    }
    const words = distribution === null ? missing : countWords(distribution, whole.numel);
    setText(this.words, words);
    if (distribution !== null) this.#drawBars(distribution, words);
  }

  /** Nothing has come yet: keep its place. @param {boolean} hasRows */
  wait(hasRows) {
    this.bars.toggleAttribute("hidden", false);
    this.rows.toggleAttribute("hidden", !hasRows);
    this.rows.classList.remove("vacant");
    this.rowLine.hidden = !hasRows;
    for (const words of [this.words, this.rowWords]) setText(words, "\u00a0");
    for (const mark of this.figure.querySelectorAll("rect, text")) mark.remove();
    this.pointedBars.show([]);
    this.pointedRows.show([]);
  }

  get #width() {
    return Math.max(LEAST_WIDTH, this.figure.clientWidth);
  }

  /** @param {Distribution} distribution @param {string} words */
  #drawBars(distribution, words) {
    const width = this.#width;
    setAttribute(this.bars, "width", String(width));
    setAttribute(this.bars, "aria-label", `${this.title}: ${words}. Left and right go through the bars`);
    const bars = barsOf(distribution, width, HEIGHT);
    children(this.bars, "rect", bars.length).forEach((rect, i) => {
      const { x, width: wide, height } = bars[i];
      place(rect, { x: x + 0.5, y: HEIGHT - height, width: Math.max(0.5, wide - 1), height });
    });
    this.pointedBars.show(bars.map(barWords));
    const ticks = ticksOf(distribution, width);
    children(this.bars, "text", ticks.length).forEach((text, i) => {
      place(text, { x: ticks[i].x, y: HEIGHT + AXIS - 3 });
      setText(text, ticks[i].label);
    });
  }

  /** @param {RowNorms | null} rows */
  #drawRows(rows) {
    this.rows.toggleAttribute("hidden", rows === null);
    this.rowLine.hidden = rows === null;
    if (rows === null) return;
    const words = rowWords(rows);
    setText(this.rowWords, words);
    const width = this.#width;
    setAttribute(this.rows, "width", String(width));
    setAttribute(this.rows, "aria-label", `${this.title}: ${words}. Left and right go through the norms`);
    const most = Math.max(Number.MIN_VALUE, ...rows.norms.map((norm) => norm ?? 0));
    const slot = width / rows.norms.length;
    children(this.rows, "rect", rows.norms.length).forEach((rect, i) => {
      const norm = rows.norms[i];
      const height = norm === null ? ROWS : (norm / most) * ROWS;
      place(rect, { x: i * slot, y: ROWS - height, width: slot > 3 ? slot - 1 : slot, height });
      rect.classList.toggle("nonfinite", norm === null);
    });
    this.pointedRows.show(rows.norms.map((_, place) => normWords(rows, place)));
  }
}

/** @param {string} name @param {number} height px */
function picture(name, height) {
  const made = document.createElementNS(SVG, "svg");
  for (const [attribute, value] of Object.entries({ class: name, height: String(height), role: "application", tabindex: "0" })) made.setAttribute(attribute, value);
  return made;
}

/**
 * So many children of a kind; those that are there stay, so that what is pointed at stays.
 * @param {Element} parent
 * @param {string} kind
 * @param {number} count
 */
function children(parent, kind, count) {
  const there = [...parent.querySelectorAll(kind)];
  for (const each of there.slice(count)) each.remove();
  while (there.length < count) there.push(parent.appendChild(document.createElementNS(SVG, kind)));
  return there.slice(0, count);
}

/** @param {Element} mark @param {Record<string, number>} numbers */
function place(mark, numbers) {
  for (const [name, value] of Object.entries(numbers)) setAttribute(mark, name, value.toFixed(1));
}
