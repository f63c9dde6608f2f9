/**
 * Wheel, pointer and keys on the heat map, as what a person means by them.
 *
 * @typedef {object} GestureActions positions in px of the canvas
 * @property {(factor: number, x: number) => boolean} zoom was there anything to zoom?
 * @property {(distance: number) => void} pan px to the later steps
 * @property {(from: number, to: number) => void} brush is being drawn
 * @property {(from: number, to: number) => void} choose what was brushed
 * @property {() => void} cancel no brush after all
 * @property {() => void} whole
 * @property {(x: number, y: number) => void} point
 * @property {() => void} leave
 * @property {(x: number, y: number) => void} open
 * @property {(key: string, shift: boolean) => boolean} press is it a key of the heat map?
 * @property {(y: number) => boolean} chooses does a drag from this height choose steps, also without Shift? Else it pans
 */
import { followWheel } from "../base/wheel.js";

/** A pointer that moved less was a click. */
const CLICK_PX = 4;
/** How long a click waits for a second one. */
const DOUBLE_CLICK_MS = 240;

export class HeatmapGestures {
  /** @type {{x: number, y: number, last: number, moved: boolean, brushing: boolean} | null} */
  #drag = null;
  #click = 0;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {GestureActions} actions
   */
  constructor(canvas, actions) {
    this.canvas = canvas;
    this.actions = actions;
    followWheel(canvas, { zoom: (factor, event) => actions.zoom(factor, event.offsetX), pan: actions.pan });
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", () => this.#cancel());
    canvas.addEventListener("pointerleave", () => actions.leave());
    canvas.addEventListener("dblclick", () => {
      clearTimeout(this.#click);
      actions.whole();
    });
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    const brushing = event.shiftKey || this.actions.chooses(event.offsetY);
    this.#drag = { x: event.offsetX, y: event.offsetY, last: event.offsetX, moved: false, brushing };
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const drag = this.#drag;
    this.actions.point(event.offsetX, event.offsetY);
    if (drag === null) return;
    drag.moved ||= Math.abs(event.offsetX - drag.x) >= CLICK_PX;
    if (!drag.moved) return;
    if (drag.brushing) this.actions.brush(drag.x, event.offsetX);
    else {
      this.actions.pan(drag.last - event.offsetX);
      drag.last = event.offsetX;
    }
  }

  /** @param {PointerEvent} event */
  #up(event) {
    const drag = this.#drag;
    this.#drag = null;
    if (drag === null) return;
    if (drag.moved && drag.brushing) this.actions.choose(drag.x, event.offsetX);
    if (drag.moved || event.detail > 1) return;
    clearTimeout(this.#click);
    this.#click = window.setTimeout(() => this.actions.open(drag.x, drag.y), DOUBLE_CLICK_MS);
  }

  #cancel() {
    this.#drag = null;
    this.actions.cancel();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && this.#drag !== null) this.#cancel();
    else if (!this.actions.press(event.key, event.shiftKey)) return;
    event.preventDefault();
  }
}
