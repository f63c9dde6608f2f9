/**
 * The steps in sight in one chart, while wheel, drag or keys move them: the chart shows them at once, and the
 * page hears of them when the movement rests.
 *
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 *
 * @typedef {object} Sight
 * @property {StepRange} shown the steps in sight, those of the whole run too
 * @property {StepRange} whole those of the whole run
 *
 * @typedef {object} MovementActions
 * @property {() => void} onMove other steps are in sight
 * @property {(range: StepRange | null, moved: boolean) => void} onRest null for the whole run; were they moved to, bit by bit?
 *   Else they were chosen as they are.
 */
import { around, FEWEST_STEPS, panned, sameRange, spanOf, zoomed } from "../model/step_range.js";

/** A movement that rests for so long is told. */
const REST_MS = 180;
const KEY_ZOOM = 1.5;
const KEY_PAN = 0.2;

export class RangeMovement {
  /** @type {StepRange | null} what the page shows */
  #told = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** Steps, less than one, that were panned and are not shown yet. */
  #left = 0;
  /** What was zoomed and is less than a step, so that it is not shown yet. */
  #factor = 1;

  /** @param {MovementActions} actions */
  constructor({ onMove, onRest }) {
    this.onMove = onMove;
    this.onRest = onRest;
    /** @type {StepRange | null} what is in sight here; null for the whole run */
    this.range = null;
  }

  /** The page shows these steps: a movement that it has not heard of goes on, unless others were chosen elsewhere. @param {StepRange | null} told */
  follow(told) {
    if (sameRange(told, this.#told)) return;
    this.#told = told;
    this.range = told;
  }

  /**
   * Was there anything to zoom? What changes less than a step is kept for the next movement.
   * @param {number} factor above 1 for more steps
   * @param {number | null} at the step that stays where it is, null for the middle
   * @param {Sight} sight
   */
  zoom(factor, at, { shown, whole }) {
    const all = around(whole, shown);
    const isLeast = spanOf(shown) <= Math.min(FEWEST_STEPS, spanOf(all));
    if (factor > 1 ? this.range === null : isLeast) return false;
    this.#factor *= factor;
    this.#moveTo(zoomed(shown, this.#factor, at ?? (shown[0] + shown[1] + 1) / 2, all));
    return true;
  }

  /**
   * Steps less than one are kept for the next movement.
   * @param {number} steps
   * @param {Sight} sight
   */
  pan(steps, { whole }) {
    if (this.range === null) return;
    this.#left += steps;
    const moved = Math.trunc(this.#left);
    this.#left -= moved;
    if (moved !== 0) this.#moveTo(panned(this.range, moved, around(whole, this.range)));
  }

  /** Show steps as they were chosen, null for the whole run: what was moved before is told, too, so that Back leads there. @param {StepRange | null} range */
  choose(range) {
    this.#rest(true);
    if (sameRange(range, this.range)) return;
    this.range = range;
    this.onMove();
    this.#rest(false);
  }

  /**
   * Is it a key that moves?
   * @param {string} key
   * @param {number | null} at the step that is pointed at
   * @param {Sight} sight
   */
  press(key, at, sight) {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (way !== undefined) this.pan(way * Math.max(1, spanOf(sight.shown) * KEY_PAN), sight);
    else if (key === "+" || key === "=") this.zoom(1 / KEY_ZOOM, at, sight);
    else if (key === "-") this.zoom(KEY_ZOOM, at, sight);
    else if (key === "Home") this.choose(null);
    else return false;
    return true;
  }

  /** @param {StepRange | null} range */
  #moveTo(range) {
    if (sameRange(range, this.range)) return;
    this.range = range;
    this.#factor = 1;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#rest(true), REST_MS);
    this.onMove();
  }

  /** @param {boolean} moved */
  #rest(moved) {
    clearTimeout(this.#timer);
    if (sameRange(this.range, this.#told)) return;
    this.#told = this.range;
    this.onRest(this.range, moved);
  }
}
