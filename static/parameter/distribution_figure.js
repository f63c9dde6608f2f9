/**
 * The picture of one distribution: its bars, the axis below them, and the norms of the rows.
 *
 * @typedef {import("../wire.js").Distribution} Distribution
 * @typedef {import("../wire.js").RowNorms} RowNorms
 */
import { element, setAttribute, setText } from "../base/dom.js";
import { barWords, countWords, normWords, rowWords } from "./distribution_words.js";
import { barsOf, ticksOf } from "./octave_bars.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 96;
const AXIS = 16;
const ROWS = 36;
const LEAST_WIDTH = 120;

export class DistributionFigure {
  /** @param {HTMLElement} figure @param {string} title */
  constructor(figure, title) {
    this.figure = figure;
    this.title = title;
    this.words = element("span", { class: "muted" });
    this.bars = picture("bars", HEIGHT + AXIS);
    this.rowWords = element("p", { class: "muted row-words" });
    this.rows = picture("row-norms", ROWS);
    figure.replaceChildren(element("figcaption", {}, element("strong", {}, title), " ", this.words), this.bars, this.rowWords, this.rows);
  }

  /**
   * @param {Distribution | null} distribution
   * @param {string} missing why there is none
   * @param {number} numel of the whole parameter
   */
  render(distribution, missing, numel) {
    this.bars.toggleAttribute("hidden", distribution === null);
    this.#drawRows(distribution?.rows ?? null);
    if (distribution === null) {
      setText(this.words, missing);
      return;
    }
    const words = countWords(distribution, numel);
    setText(this.words, words);
    const width = Math.max(LEAST_WIDTH, this.figure.clientWidth);
    setAttribute(this.bars, "width", String(width));
    setAttribute(this.bars, "aria-label", `${this.title}: ${words}`);
    const bars = barsOf(distribution, width, HEIGHT);
    children(this.bars, "rect", bars.length).forEach((rect, i) => {
      const { x, width: wide, height } = bars[i];
      place(rect, { x: x + 0.5, y: HEIGHT - height, width: Math.max(0.5, wide - 1), height });
      setTitle(rect, barWords(bars[i]));
    });
    const ticks = ticksOf(distribution, width);
    children(this.bars, "text", ticks.length).forEach((text, i) => {
      place(text, { x: ticks[i].x, y: HEIGHT + AXIS - 3 });
      setText(text, ticks[i].label);
    });
  }

  /** @param {RowNorms | null} rows */
  #drawRows(rows) {
    this.rows.toggleAttribute("hidden", rows === null);
    this.rowWords.hidden = rows === null;
    if (rows === null) return;
    const words = rowWords(rows);
    setText(this.rowWords, words);
    const width = Math.max(LEAST_WIDTH, this.figure.clientWidth);
    setAttribute(this.rows, "width", String(width));
    setAttribute(this.rows, "aria-label", `${this.title}. ${words}`);
    const most = Math.max(Number.MIN_VALUE, ...rows.norms.map((norm) => norm ?? 0));
    const slot = width / rows.norms.length;
    children(this.rows, "rect", rows.norms.length).forEach((rect, i) => {
      const norm = rows.norms[i];
      const height = norm === null ? ROWS : (norm / most) * ROWS;
      place(rect, { x: i * slot, y: ROWS - height, width: slot > 3 ? slot - 1 : slot, height });
      rect.classList.toggle("nonfinite", norm === null);
      setTitle(rect, normWords(rows, i));
    });
  }
}

/** @param {string} name @param {number} height px */
function picture(name, height) {
  const made = document.createElementNS(SVG, "svg");
  for (const [attribute, value] of Object.entries({ class: name, height: String(height), role: "img" })) made.setAttribute(attribute, value);
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

/** @param {Element} mark @param {string} words */
function setTitle(mark, words) {
  const title = mark.firstElementChild ?? mark.appendChild(document.createElementNS(SVG, "title"));
  setText(title, words);
}
