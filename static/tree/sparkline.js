/**
 * A sparkline: the last entries of the history on a log scale of their own, at least one decade high.
 *
 * An entry that stands for several samples has a stroke from their lowest to their highest norm. One
 * without a norm is a gap, with a tick in the colour of its state at the foot.
 *
 * @typedef {import("../model/sample_history.js").HistoryPoint} HistoryPoint
 */
import { isPlottable } from "../model/norm_scale.js";
import { stateOf } from "../model/states.js";

const WIDTH = 70;
const HEIGHT = 18;
const TICK = 3;

/**
 * @param {HTMLCanvasElement} canvas
 * @param {readonly HistoryPoint[]} points oldest first
 * @param {number} capacity points across the whole width
 * @param {Record<string, string>} tokens
 */
export function drawSparkline(canvas, points, capacity, tokens) {
  const ratio = devicePixelRatio || 1;
  if (canvas.width !== WIDTH * ratio) {
    canvas.width = WIDTH * ratio;
    canvas.height = HEIGHT * ratio;
  }
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, WIDTH, HEIGHT);
  const x = (/** @type {number} */ i) =>
    ((capacity - points.length + i + 0.5) / capacity) * WIDTH;
  const y = logScale(points);
  drawRanges(context, points, x, y, tokens["spark"]);
  drawLine(context, points, x, y, tokens["spark"]);
  points.forEach(({ norm, state }, i) => {
    if (isPlottable(norm) || state === 0) return;
    context.fillStyle = tokens[`state-${stateOf(state).name}`];
    context.fillRect(x(i) - 0.5, HEIGHT - TICK, 1, TICK);
  });
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
  return (norm) => 1.5 + (HEIGHT - 3) * (0.5 - (Math.log10(norm) - middle) / span);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {readonly HistoryPoint[]} points
 * @param {(i: number) => number} x
 * @param {(norm: number) => number} y
 * @param {string} color
 */
function drawRanges(context, points, x, y, color) {
  context.fillStyle = color;
  points.forEach(({ low, high }, i) => {
    if (!isPlottable(high)) return;
    const top = y(high);
    const bottom = isPlottable(low) ? y(low) : HEIGHT - 1.5;
    if (bottom - top >= 0.5) context.fillRect(x(i) - 0.5, top, 1, bottom - top);
  });
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {readonly HistoryPoint[]} points
 * @param {(i: number) => number} x
 * @param {(norm: number) => number} y
 * @param {string} color
 */
function drawLine(context, points, x, y, color) {
  const drawn = (/** @type {number} */ i) => i >= 0 && i < points.length && isPlottable(points[i].norm);
  context.beginPath();
  points.forEach(({ norm }, i) => {
    if (!drawn(i)) return;
    if (drawn(i - 1)) context.lineTo(x(i), y(norm));
    else if (drawn(i + 1)) context.moveTo(x(i), y(norm));
    else {
      context.moveTo(x(i) - 1, y(norm));
      context.lineTo(x(i) + 1, y(norm));
    }
  });
  context.strokeStyle = color;
  context.lineWidth = 1;
  context.stroke();
}
