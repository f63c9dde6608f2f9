/**
 * Draws a heat map on a canvas: pictures of cells, scaled to what is in sight, and over them names, states,
 * marks, the axis and the pointer.
 *
 * @typedef {import("./heatmap_data.js").Answer} Answer
 * @typedef {import("./heatmap_layout.js").Layout} Layout
 * @typedef {import("../model/step_marks.js").StepMark} StepMark
 *
 * @typedef {object} Picture
 * @property {Answer} answer
 * @property {string} key what it was painted for
 * @property {import("../model/view_url.js").StepRange} range
 * @property {HTMLCanvasElement} image
 *
 * @typedef {object} HeatmapScene
 * @property {Answer} overview
 * @property {Answer | null} detail
 * @property {import("../model/view_url.js").StepRange} range in sight
 * @property {readonly [number, number]} domain
 * @property {Record<string, string>} tokens
 * @property {readonly string[]} selected names of rows
 * @property {readonly StepMark[]} marks
 * @property {number | null} step under the pointer
 * @property {number} row under the pointer, −1 for none
 * @property {readonly [number, number] | null} brush from and to, in px
 */
import { formatCount, formatNumber, shortenMiddle } from "../base/format.js";
import { visible } from "../base/visible.js";
import { decadesBetween, rampColor } from "../model/norm_scale.js";
import { stateOf } from "../model/states.js";
import { paintCells, stateRuns } from "./cell_painting.js";
import { layoutOf, ROW_HEIGHT, TOP } from "./heatmap_layout.js";
import { rowLabel, sharedModule } from "./heatmap_words.js";
import { inksOf } from "./inks.js";
import { roundSteps, StepAxis } from "./step_axis.js";

const LETTER = 6.3;
const GLYPH = 10;
const TICK_ROOM = 90;

export class HeatmapDrawing {
  /** @type {Picture | null} */
  #overview = null;
  /** @type {Picture | null} */
  #detail = null;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    const pen = canvas.getContext("2d");
    if (pen === null) throw new Error("this browser draws no canvas");
    this.pen = pen;
  }

  /** Where things are now. @param {number} rows */
  layout(rows) {
    return layoutOf(this.canvas.clientWidth, this.canvas.clientHeight, rows);
  }

  /** @param {HeatmapScene} scene */
  draw(scene) {
    const { canvas, pen } = this;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
    if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
    const rows = scene.overview.cells.names.length;
    const layout = this.layout(rows);
    const axis = new StepAxis(scene.range, layout.left, layout.width);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.fillStyle = scene.tokens["sunken"];
    pen.fillRect(layout.left, TOP, layout.width, layout.height);
    this.#drawCells(scene, layout, axis, ratio);
    this.#drawStates(scene, layout, axis);
    this.#drawMarks(scene, layout, axis);
    this.#drawNames(scene, layout);
    this.#drawAxis(scene, layout, axis);
    if (layout.bar > 0) this.#drawBar(scene, layout);
    this.#drawPointer(scene, layout, axis);
  }

  /**
   * @param {HeatmapScene} scene
   * @param {Layout} layout
   * @param {StepAxis} axis
   * @param {number} ratio
   */
  #drawCells(scene, layout, axis, ratio) {
    this.#overview = picture(this.#overview, scene.overview, scene, layout, ratio);
    this.#detail = scene.detail === null ? null : picture(this.#detail, scene.detail, scene, layout, ratio);
    const { pen } = this;
    pen.save();
    pen.beginPath();
    pen.rect(layout.left, TOP, layout.width, layout.height);
    pen.clip();
    pen.imageSmoothingEnabled = false;
    for (const each of [this.#overview, this.#detail]) {
      if (each === null) continue;
      const [left, right] = [axis.xOf(each.range[0]), axis.xOf(each.range[1] + 1)];
      if (each === this.#detail) {
        // Before its first sample and behind its last the whole run knows better what was there.
        const { steps, end } = each.answer.cells;
        const from = Math.max(left, axis.xOf(steps?.[0] ?? 0));
        pen.fillStyle = scene.tokens["sunken"];
        pen.fillRect(from, TOP, Math.min(right, axis.xOf(end)) - from, layout.height);
      }
      pen.drawImage(each.image, left, TOP, right - left, layout.height);
    }
    pen.restore();
  }

  /**
   * A glyph at the begin of each run of a state for which there is room.
   * @param {HeatmapScene} scene
   * @param {Layout} layout
   * @param {StepAxis} axis
   */
  #drawStates({ overview, detail, range, tokens }, layout, axis) {
    if (layout.rowHeight < GLYPH) return;
    const { pen } = this;
    const { cells } = detail !== null && covers(detail, range) ? detail : overview;
    const right = layout.left + layout.width;
    for (let row = 0; row < cells.names.length; row += 1) {
      const top = TOP + row * layout.rowHeight + (layout.rowHeight - GLYPH) / 2;
      for (const { state, from, to } of stateRuns(cells, row)) {
        const start = Math.max(layout.left, axis.xOf(from));
        if (Math.min(right, axis.xOf(to)) - start < GLYPH + 6) continue;
        const { name, path, filled } = stateOf(state);
        pen.save();
        pen.translate(start + 2, top);
        pen.fillStyle = tokens["panel"];
        pen.fillRect(-1, -1, GLYPH + 2, GLYPH + 2);
        pen.scale(GLYPH / 16, GLYPH / 16);
        pen.lineWidth = 2;
        pen.strokeStyle = pen.fillStyle = tokens[`state-${name}`];
        pen.stroke(new Path2D(path));
        if (filled) pen.fill(new Path2D(path));
        pen.restore();
      }
    }
  }

  /**
   * @param {HeatmapScene} scene
   * @param {Layout} layout
   * @param {StepAxis} axis
   */
  #drawMarks({ marks, range, tokens }, layout, axis) {
    const { pen } = this;
    for (const { step, kind } of marks) {
      if (step < range[0] || step > range[1]) continue;
      const x = axis.xOf(step + 0.5);
      pen.fillStyle = pen.strokeStyle = tokens[{ command: "text", alert: "state-nonfinite", note: "muted" }[kind]];
      pen.beginPath();
      if (kind === "command") {
        pen.moveTo(x, TOP - 12);
        pen.lineTo(x + 4, TOP - 7);
        pen.lineTo(x, TOP - 2);
        pen.lineTo(x - 4, TOP - 7);
      } else {
        pen.moveTo(x - 4, TOP - 10);
        pen.lineTo(x + 4, TOP - 10);
        pen.lineTo(x, TOP - 2);
      }
      pen.fill();
      if (kind !== "command") continue;
      pen.setLineDash([3, 3]);
      line(pen, x, TOP, x, TOP + layout.height);
      pen.setLineDash([]);
    }
  }

  /**
   * @param {HeatmapScene} scene
   * @param {Layout} layout
   */
  #drawNames({ overview, selected, row: pointed, tokens }, layout) {
    const { pen } = this;
    const every = Math.ceil((ROW_HEIGHT - 1) / layout.rowHeight);
    const most = Math.max(3, Math.floor((layout.left - 12) / LETTER));
    const { names, sizes } = overview.cells;
    const around = sharedModule(names);
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    pen.font = `11px ${tokens["font"]}`;
    pen.fillStyle = tokens["muted"];
    if (around !== "") pen.fillText(shortenMiddle(`${visible(around)}.`, most), layout.left - 6, TOP / 2, layout.left - 8);
    for (let row = 0; row < names.length; row += 1) {
      if (row % every !== 0 && row !== pointed) continue;
      const marked = row === pointed || selected.includes(names[row]);
      pen.font = `${marked ? "600 " : ""}11px ${tokens["font"]}`;
      pen.fillStyle = tokens[marked || sizes[row] > 1 ? "text" : "muted"];
      pen.fillText(shortenMiddle(visible(rowLabel(names[row], around)), most), layout.left - 6, TOP + (row + 0.5) * layout.rowHeight, layout.left - 8);
    }
  }

  /**
   * @param {HeatmapScene} scene
   * @param {Layout} layout
   * @param {StepAxis} axis
   */
  #drawAxis({ range, tokens }, layout, axis) {
    const { pen } = this;
    const bottom = TOP + layout.height;
    pen.font = `11px ${tokens["font"]}`;
    pen.textAlign = "center";
    pen.textBaseline = "top";
    pen.strokeStyle = tokens["line-strong"];
    line(pen, layout.left, bottom + 0.5, layout.left + layout.width, bottom + 0.5);
    for (const step of roundSteps(range, layout.width / TICK_ROOM)) {
      const x = Math.round(axis.xOf(step + 0.5)) + 0.5;
      line(pen, x, bottom, x, bottom + 4);
      pen.fillStyle = tokens["muted"];
      pen.fillText(formatCount(step), x, bottom + 6);
    }
  }

  /**
   * @param {HeatmapScene} scene
   * @param {Layout} layout
   */
  #drawBar({ domain, tokens }, layout) {
    const { pen } = this;
    const left = layout.left + layout.width + 14;
    for (let y = 0; y < layout.height; y += 1) {
      pen.fillStyle = rampColor(1 - y / layout.height);
      pen.fillRect(left, TOP + y, 10, 1.5);
    }
    pen.font = `11px ${tokens["font"]}`;
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    pen.fillStyle = tokens["muted"];
    const decades = decadesBetween(domain);
    if (decades.length < 2) {
      for (const [i, end] of domain.entries()) pen.fillText(formatNumber(10 ** end), left + 14, TOP + (i === 0 ? layout.height - 5 : 5));
      return;
    }
    const every = Math.ceil((decades.length * ROW_HEIGHT) / layout.height);
    for (const [i, decade] of decades.entries()) {
      if (i % every !== 0) continue;
      const share = (decade - domain[0]) / (domain[1] - domain[0]);
      const y = TOP + Math.min(layout.height - 5, Math.max(5, (1 - share) * layout.height));
      pen.fillText(powerOfTen(decade), left + 14, y);
    }
  }

  /**
   * @param {HeatmapScene} scene
   * @param {Layout} layout
   * @param {StepAxis} axis
   */
  #drawPointer({ step, row, brush, range, tokens }, layout, axis) {
    const { pen } = this;
    pen.strokeStyle = tokens["text"];
    pen.lineWidth = 1;
    if (brush !== null) {
      const [from, to] = [Math.min(...brush), Math.max(...brush)];
      pen.globalAlpha = 0.35;
      pen.fillStyle = tokens["band"];
      pen.fillRect(from, TOP, to - from, layout.height);
      pen.globalAlpha = 1;
      pen.strokeRect(from + 0.5, TOP + 0.5, Math.max(1, to - from), layout.height - 1);
    }
    if (step !== null && step >= range[0] && step <= range[1]) {
      const x = Math.round(axis.xOf(step + 0.5)) + 0.5;
      line(pen, x, TOP, x, TOP + layout.height);
    }
    if (row >= 0) pen.strokeRect(layout.left + 0.5, TOP + row * layout.rowHeight + 0.5, layout.width - 1, layout.rowHeight - 1);
  }
}

/**
 * The picture of an answer, painted anew only when something about it is another.
 * @param {Picture | null} before
 * @param {Answer} answer
 * @param {HeatmapScene} scene
 * @param {Layout} layout
 * @param {number} ratio
 * @returns {Picture | null} null for an answer without a column
 */
function picture(before, answer, { domain, tokens }, layout, ratio) {
  const range = answer.range ?? answer.cells.steps;
  if (range === null || answer.cells.columns === 0) return null;
  const width = Math.round(layout.width * ratio);
  const tops = Array.from({ length: answer.cells.names.length + 1 }, (_, row) => Math.round(row * layout.rowHeight * ratio));
  const key = [width, ...tops, ...domain, tokens["panel"], tokens["state-absent"]].join();
  if (before !== null && before.answer === answer && before.key === key) return before;
  const image = before?.image ?? document.createElement("canvas");
  image.width = width;
  image.height = tops[tops.length - 1];
  const pixels = paintCells(answer.cells, new StepAxis(range, 0, width), tops, inksOf(answer.cells, domain, tokens), ratio);
  const bytes = new Uint8ClampedArray(/** @type {ArrayBuffer} */ (pixels.buffer));
  image.getContext("2d")?.putImageData(new ImageData(bytes, width), 0, 0);
  return { answer, key, range, image };
}

/**
 * Has an answer cells, and all there are of a range?
 * @param {Answer} answer
 * @param {import("../model/view_url.js").StepRange} range
 */
export function covers(answer, range) {
  const has = answer.cells.columns === 0 ? null : (answer.range ?? answer.cells.steps);
  return has !== null && has[0] <= range[0] && has[1] >= range[1];
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {number} x0
 * @param {number} y0
 * @param {number} x1
 * @param {number} y1
 */
function line(pen, x0, y0, x1, y1) {
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
}

/** @param {number} decade */
function powerOfTen(decade) {
  const digits = [...String(Math.abs(decade))].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]).join("");
  return `10${decade < 0 ? "⁻" : ""}${digits}`;
}
