/**
 * The scale between the steps of a line chart and its pixels.
 *
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 */
export class StepScale {
  /**
   * @param {readonly [number, number]} range what is in sight, with fractions
   * @param {number} left where it begins, px
   * @param {number} width px
   */
  constructor(range, left, width) {
    this.range = range;
    this.left = left;
    this.width = width;
    this.perStep = width / (range[1] - range[0]);
  }

  /** @param {number} step */
  xOf(step) {
    return this.left + (step - this.range[0]) * this.perStep;
  }

  /** The step nearest to a pixel, null beside the chart. @param {number} x */
  stepAt(x) {
    if (x < this.left || x > this.left + this.width) return null;
    return Math.max(0, Math.round(this.range[0] + (x - this.left) / this.perStep));
  }

  /** The place of a pixel between steps that are one wide each, as ranges are zoomed around. @param {number} x */
  placeAt(x) {
    return this.range[0] + 0.5 + (x - this.left) / this.perStep;
  }

  /**
   * The steps in sight that the run has.
   * @param {StepRange} whole
   * @returns {StepRange}
   */
  stepsOf(whole) {
    const [first, last] = [Math.max(whole[0], Math.ceil(this.range[0])), Math.min(whole[1], Math.floor(this.range[1]))];
    return first <= last ? [first, last] : whole;
  }

  /** Is a step in sight? @param {number} step */
  holds(step) {
    return step >= this.range[0] && step <= this.range[1];
  }
}
