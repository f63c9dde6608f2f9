/**
 * A sparkline: the last samples on a log scale of their own, at least one decade high.
 *
 * A sample without a norm is a gap, with a tick in the colour of its state at the foot.
 */
import { isPlottable } from "../lib/scale.js";
import { stateOf } from "../lib/states.js";

const WIDTH = 70;
const HEIGHT = 18;
const TICK = 3;

/**
 * @param {HTMLCanvasElement} canvas
 * @param {readonly {norm: number, state: number}[]} points oldest first
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
  drawLine(context, points, x, tokens["spark"]);
  points.forEach(({ norm, state }, i) => {
    if (isPlottable(norm) || state === 0) return;
    context.fillStyle = tokens[`state-${stateOf(state).name}`];
    context.fillRect(x(i) - 0.5, HEIGHT - TICK, 1, TICK);
  });
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {readonly {norm: number}[]} points
 * @param {(i: number) => number} x
 * @param {string} color
 */
function drawLine(context, points, x, color) {
  const logs = points.map(({ norm }) => (isPlottable(norm) ? Math.log10(norm) : NaN));
  const known = logs.filter((log) => !Number.isNaN(log));
  if (known.length === 0) return;
  const low = Math.min(...known);
  const high = Math.max(...known);
  const middle = (low + high) / 2;
  const span = Math.max(1, high - low);
  const y = (/** @type {number} */ log) =>
    1.5 + (HEIGHT - 3) * (0.5 - (log - middle) / span);
  context.beginPath();
  logs.forEach((log, i) => {
    if (Number.isNaN(log)) return;
    if (i === 0 || Number.isNaN(logs[i - 1])) {
      context.moveTo(x(i), y(log));
      if (i === logs.length - 1 || Number.isNaN(logs[i + 1])) context.lineTo(x(i) + 1, y(log));
    } else context.lineTo(x(i), y(log));
  });
  context.strokeStyle = color;
  context.lineWidth = 1;
  context.stroke();
}
