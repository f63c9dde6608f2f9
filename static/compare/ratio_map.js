/**
 * Draws the heat map of the ratio: less than the first in blue, more in orange, alike in grey.
 *
 * @typedef {import("./ratio_cells.js").RatioCells} RatioCells
 * @typedef {import("./ratio_cells.js").Side} Side
 *
 * @typedef {object} RatioScene
 * @property {RatioCells} ratio
 * @property {readonly [string, string]} labels of the two
 * @property {(position: number) => string} positionWords
 * @property {Record<string, string>} tokens
 */
import { element, setText } from "../base/dom.js";
import { formatCount, formatNumber, plural, shortenMiddle } from "../base/format.js";
import { visible } from "../base/visible.js";
import { layoutOf, rowAt, ROW_HEIGHT, TOP } from "../heatmap/heatmap_layout.js";
import { marginWords, rowLabel, sharedModule } from "../heatmap/heatmap_words.js";
import { roundSteps } from "../heatmap/step_axis.js";
import { stateOf } from "../model/states.js";
import { doublingsDomain } from "./ratio_cells.js";

const LESS = Object.freeze([25, 110, 200]);
const MORE = Object.freeze([214, 94, 0]);
const LETTER = 6.3;
const TICK_ROOM = 90;

export class RatioMap {
  /** @type {RatioScene | null} */
  #scene = null;
  #row = -1;
  #column = -1;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLElement} tip
   * @param {HTMLElement} said what is at the cell that the keyboard is at
   * @param {(name: string) => void} onOpen
   */
  constructor(canvas, tip, said, onOpen) {
    this.canvas = canvas;
    this.tip = tip;
    this.said = said;
    this.onOpen = onOpen;
    const pen = canvas.getContext("2d");
    if (pen === null) throw new Error("this browser draws no canvas");
    this.pen = pen;
    canvas.addEventListener("pointermove", (event) => this.#point(event.offsetX, event.offsetY));
    canvas.addEventListener("pointerleave", () => this.#goTo(-1, -1));
    canvas.addEventListener("click", (event) => {
      this.#point(event.offsetX, event.offsetY);
      this.#open();
    });
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {RatioScene} scene */
  draw(scene) {
    this.#scene = scene;
    this.#row = Math.min(this.#row, scene.ratio.names.length - 1);
    this.#column = Math.min(this.#column, scene.ratio.columns - 1);
    this.#paint();
  }

  get #layout() {
    return layoutOf(this.canvas.clientWidth, this.canvas.clientHeight, this.#scene?.ratio.names.length ?? 1);
  }

  #paint() {
    const { canvas, pen } = this;
    if (this.#scene === null || canvas.clientWidth === 0) return;
    const pixels = window.devicePixelRatio || 1;
    canvas.width = Math.round(canvas.clientWidth * pixels);
    canvas.height = Math.round(canvas.clientHeight * pixels);
    pen.setTransform(pixels, 0, 0, pixels, 0, 0);
    const { ratio, tokens } = this.#scene;
    const { left, width, height, bar, rowHeight } = this.#layout;
    const domain = doublingsDomain(ratio.doublings);
    const grey = rgbOf(tokens["band"]);
    pen.fillStyle = tokens["sunken"];
    pen.fillRect(left, TOP, width, height);
    const columnWidth = width / ratio.columns;
    ratio.doublings.forEach((doublings, i) => {
      if (Number.isNaN(doublings)) return;
      const [row, column] = [Math.floor(i / ratio.columns), i % ratio.columns];
      pen.fillStyle = colorOf(doublings / domain, grey);
      pen.fillRect(left + column * columnWidth, TOP + row * rowHeight, columnWidth + 0.5, rowHeight - (rowHeight > 4 ? 1 : 0));
    });
    this.#paintNames();
    this.#paintAxis();
    if (bar > 0) this.#paintBar(domain, grey);
    if (this.#row >= 0 && this.#column >= 0) {
      pen.strokeStyle = tokens["text"];
      pen.strokeRect(left + this.#column * columnWidth - 0.5, TOP + this.#row * rowHeight - 0.5, Math.max(4, columnWidth) + 1, rowHeight);
    }
  }

  #paintNames() {
    const { pen } = this;
    const { ratio, tokens } = /** @type {RatioScene} */ (this.#scene);
    const { left, rowHeight } = this.#layout;
    const every = Math.ceil((ROW_HEIGHT - 1) / rowHeight);
    const most = Math.max(3, Math.floor((left - 12) / LETTER));
    const around = sharedModule(ratio.names);
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    ratio.names.forEach((name, row) => {
      if (row % every !== 0 && row !== this.#row) return;
      pen.font = `${row === this.#row ? "600 " : ""}11px ${tokens["font"]}`;
      pen.fillStyle = tokens["text"];
      pen.fillText(shortenMiddle(visible(rowLabel(name, around)), most), left - 6, TOP + (row + 0.5) * rowHeight, left - 8);
    });
    pen.font = `11px ${tokens["font"]}`;
    pen.fillStyle = tokens["muted"];
    if (around !== "") pen.fillText(shortenMiddle(`${visible(around)}.`, most), left - 6, TOP / 2, left - 8);
  }

  #paintAxis() {
    const { pen } = this;
    const { ratio, positionWords, tokens } = /** @type {RatioScene} */ (this.#scene);
    const { left, width, height } = this.#layout;
    const [start, end] = ratio.ends;
    pen.textAlign = "center";
    pen.textBaseline = "top";
    pen.font = `11px ${tokens["font"]}`;
    pen.fillStyle = tokens["muted"];
    pen.strokeStyle = tokens["line-strong"];
    for (const position of roundSteps([start, end], width / TICK_ROOM)) {
      const column = ((position - start) / Math.max(1e-9, end - start)) * (ratio.columns - 1);
      const x = left + ((column + 0.5) / ratio.columns) * width;
      pen.beginPath();
      pen.moveTo(x, TOP + height);
      pen.lineTo(x, TOP + height + 4);
      pen.stroke();
      if (x < left + width - 20) pen.fillText(positionWords(position), x, TOP + height + 6);
    }
  }

  /**
   * @param {number} domain doublings
   * @param {readonly number[]} grey
   */
  #paintBar(domain, grey) {
    const { pen } = this;
    const { left, width, height } = this.#layout;
    const { tokens } = /** @type {RatioScene} */ (this.#scene);
    const x = left + width + 14;
    for (let y = 0; y < height; y += 1) {
      pen.fillStyle = colorOf(1 - (2 * y) / height, grey);
      pen.fillRect(x, TOP + y, 10, 1.5);
    }
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    pen.fillStyle = tokens["muted"];
    const power = 2 ** domain;
    const words = power < 10_000 ? String(power) : formatNumber(power);
    for (const [share, text] of /** @type {const} */ ([[0, `×${words}`], [0.5, "×1"], [1, `÷${words}`]])) {
      if (height > 40 || share !== 0.5) pen.fillText(text, x + 14, TOP + Math.min(height - 5, Math.max(5, share * height)));
    }
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  #point(x, y) {
    if (this.#scene === null) return;
    const layout = this.#layout;
    const { columns, names } = this.#scene.ratio;
    const column = Math.floor(((x - layout.left) / layout.width) * columns);
    this.#goTo(rowAt(layout, y, names.length), column >= 0 && column < columns ? column : -1);
  }

  /**
   * @param {number} row
   * @param {number} column
   */
  #goTo(row, column) {
    this.#row = row;
    this.#column = column;
    const lines = this.#lines();
    this.tip.hidden = lines.length === 0;
    this.tip.replaceChildren(...lines.map((text, i) => element(i === 0 ? "strong" : "span", {}, visible(text))));
    if (lines.length > 0) {
      const { left, width, rowHeight } = this.#layout;
      const x = left + ((Math.max(0, column) + 0.5) / (this.#scene?.ratio.columns ?? 1)) * width;
      const before = x + 14 + this.tip.offsetWidth > this.canvas.clientWidth;
      this.tip.style.left = `${Math.max(0, before ? x - 14 - this.tip.offsetWidth : x + 14)}px`;
      this.tip.style.top = `${Math.min(TOP + (row + 1) * rowHeight, Math.max(0, this.canvas.clientHeight - 24))}px`;
    }
    this.#paint();
    return lines;
  }

  #lines() {
    if (this.#scene === null || this.#row < 0) return [];
    const { ratio, labels } = this.#scene;
    const [name, size] = [ratio.names[this.#row], ratio.sizes[this.#row]];
    const title = size === 1 ? name : `${name} (${plural(size, "parameter")})`;
    if (this.#column < 0) return [title];
    const sides = ratio.at(this.#row, this.#column);
    const doublings = ratio.doublings[this.#row * ratio.columns + this.#column];
    const held = Number.isNaN(doublings) ? "no ratio" : `×${formatNumber(2 ** doublings)}${marginWords(ratio.precision)}`;
    return [title, held, ...sides.map((side, i) => `${labels[i]}: ${sideWords(side)}`)];
  }

  #open() {
    const name = this.#scene?.ratio.names[this.#row];
    if (name !== undefined && this.#scene?.ratio.sizes[this.#row] !== 1) this.onOpen(name);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (this.#scene === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const { names, columns } = this.#scene.ratio;
    const [across, down] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
    if (event.key === "Enter") this.#open();
    else if (across === 0 && down === 0) return;
    else {
      const column = this.#column < 0 ? Math.floor(columns / 2) : this.#column + across;
      const lines = this.#goTo(Math.min(names.length - 1, Math.max(0, this.#row + down)), Math.min(columns - 1, Math.max(0, column)));
      setText(this.said, visible(lines.join(". ")));
    }
    event.preventDefault();
  }
}

/** @param {Side} side */
function sideWords({ step, value, state }) {
  if (step === null) return "not so long";
  const at = `at step ${formatCount(step)}`;
  if (state === 0 && Number.isNaN(value)) return "no sample";
  const { name } = stateOf(state);
  const norm = Number.isNaN(value) ? "" : `${formatNumber(value)}${name === "present" ? "" : ", "}`;
  return `${norm}${name === "present" ? "" : name} ${at}`;
}

/**
 * @param {number} share −1 to 1
 * @param {readonly number[]} grey
 */
function colorOf(share, grey) {
  const depth = Math.min(1, Math.abs(share));
  const deep = share < 0 ? LESS : MORE;
  return `rgb(${grey.map((from, i) => Math.round(from + depth * (deep[i] - from))).join(",")})`;
}

/** @param {string} color #rrggbb */
function rgbOf(color) {
  const bits = Number.parseInt(color.slice(1), 16) || 0;
  return [(bits >> 16) & 255, (bits >> 8) & 255, bits & 255];
}
