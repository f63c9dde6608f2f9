/**
 * A sparkline: the last entries of the history on a log scale of their own, at least one decade high.
 *
 * An entry that stands for several samples has a stroke from their lowest to their highest norm. One
 * without a norm is a gap, with a tick in the colour of its state at the foot. It is drawn as SVG: a
 * canvas is a layer of its own to a browser, and so is all that lies beside one.
 *
 * @typedef {import("../model/sample_history.js").HistoryPoint} HistoryPoint
 * @typedef {import("../model/states.js").StateName} StateName
 */
import { setAttribute } from "../base/dom.js";
import { isPlottable } from "../model/norm_scale.js";
import { SEVERITY, stateOf } from "../model/states.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 70;
const HEIGHT = 18;
const TICK = 3;

export class Sparkline {
  constructor() {
    this.element = document.createElementNS(SVG, "svg");
    this.element.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.element.setAttribute("class", "sparkline");
    this.element.setAttribute("aria-hidden", "true");
    this.line = this.#path("line");
    /** @type {Map<StateName, SVGPathElement>} made when they are first needed */
    this.ticks = new Map();
  }

  /**
   * @param {readonly HistoryPoint[]} points oldest first
   * @param {number} capacity points across the whole width
   */
  draw(points, capacity) {
    const { line, ticks } = sparkPaths(points, capacity);
    setAttribute(this.line, "d", line);
    for (const name of SEVERITY) {
      const d = ticks.get(name) ?? "";
      if (d !== "" || this.ticks.has(name)) setAttribute(this.#tick(name), "d", d);
    }
  }

  /** @param {StateName} name */
  #tick(name) {
    const path = this.ticks.get(name) ?? this.#path("tick");
    path.style.stroke = `var(--state-${name})`;
    this.ticks.set(name, path);
    return path;
  }

  /** @param {string} kind */
  #path(kind) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", kind);
    this.element.append(path);
    return path;
  }
}

/**
 * What a sparkline is drawn with, as SVG path data.
 * @param {readonly HistoryPoint[]} points oldest first
 * @param {number} capacity points across the whole width
 * @returns {{line: string, ticks: Map<StateName, string>}} the norms with their ranges, and the ticks by state
 */
export function sparkPaths(points, capacity) {
  const x = (/** @type {number} */ i) => rounded(((capacity - points.length + i + 0.5) / capacity) * WIDTH);
  const y = logScale(points);
  /** @type {Map<StateName, string>} */
  const ticks = new Map();
  points.forEach(({ norm, state }, i) => {
    if (isPlottable(norm) || state === 0) return;
    const { name } = stateOf(state);
    ticks.set(name, `${ticks.get(name) ?? ""}M${x(i)} ${HEIGHT - TICK}V${HEIGHT}`);
  });
  return { line: linePath(points, x, y) + rangePath(points, x, y), ticks };
}

/**
 * The height of a norm: all norms of the points, lowest and highest ones too, have their place.
 * @param {readonly HistoryPoint[]} points
 * @returns {(norm: number) => number}
 */
function logScale(points) {
  const known = points.flatMap(({ norm, low, high }) => [norm, low, high].filter(isPlottable)).map(Math.log10);
  const lowest = Math.min(...known);
  const highest = Math.max(...known);
  const middle = (lowest + highest) / 2;
  const span = Math.max(1, highest - lowest);
  return (norm) => rounded(1.5 + (HEIGHT - 3) * (0.5 - (Math.log10(norm) - middle) / span));
}

/**
 * @param {readonly HistoryPoint[]} points
 * @param {(i: number) => number} x
 * @param {(norm: number) => number} y
 */
function rangePath(points, x, y) {
  const strokes = points.map(({ low, high }, i) => {
    if (!isPlottable(high)) return "";
    const bottom = isPlottable(low) ? y(low) : HEIGHT - 1.5;
    return bottom - y(high) >= 0.5 ? `M${x(i)} ${y(high)}V${bottom}` : "";
  });
  return strokes.join("");
}

/**
 * @param {readonly HistoryPoint[]} points
 * @param {(i: number) => number} x
 * @param {(norm: number) => number} y
 */
function linePath(points, x, y) {
  const drawn = (/** @type {number} */ i) => i >= 0 && i < points.length && isPlottable(points[i].norm);
  const pieces = points.map(({ norm }, i) => {
    if (!drawn(i)) return "";
    if (drawn(i - 1)) return `L${x(i)} ${y(norm)}`;
    return drawn(i + 1) ? `M${x(i)} ${y(norm)}` : `M${rounded(x(i) - 1)} ${y(norm)}h2`;
  });
  return pieces.join("");
}

/** To a tenth of a pixel. @param {number} value */
function rounded(value) {
  return Math.round(value * 10) / 10;
}
