/**
 * The axis between steps and pixels: a step is as wide as its share of the range.
 *
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 */
import { spanOf } from "../model/step_range.js";

export class StepAxis {
  /**
   * @param {StepRange} range
   * @param {number} left where the first step begins, in px
   * @param {number} width px
   */
  constructor(range, left, width) {
    this.range = range;
    this.left = left;
    this.width = width;
    this.perStep = width / spanOf(range);
  }

  /** Where a step begins. @param {number} step */
  xOf(step) {
    return this.left + (step - this.range[0]) * this.perStep;
  }

  /** The step at a pixel, with its fraction. @param {number} x */
  stepAt(x) {
    return this.range[0] + (x - this.left) / this.perStep;
  }

  /** The step at a pixel, within the range. @param {number} x */
  wholeStepAt(x) {
    return Math.min(this.range[1], Math.max(this.range[0], Math.floor(this.stepAt(x))));
  }
}

/**
 * Round steps for an axis, at most about so many.
 * @param {StepRange} range
 * @param {number} most
 * @returns {number[]}
 */
export function roundSteps([first, last], most) {
  const rough = Math.max(1, (last - first) / Math.max(1, most));
  const power = 10 ** Math.floor(Math.log10(rough));
  const unit = power * (/** @type {number} */ ([1, 2, 5, 10].find((factor) => factor * power >= rough)));
  const start = Math.ceil(first / unit) * unit;
  return Array.from({ length: Math.max(0, Math.floor((last - start) / unit) + 1) }, (_, i) => start + i * unit);
}
