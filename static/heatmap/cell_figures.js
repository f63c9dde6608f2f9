/**
 * The figures of a cell as the server has them, asked for when the pointer rests on the cell of a parameter.
 *
 * @typedef {import("../link/statistics.js").StatisticName} StatisticName
 *
 * @typedef {object} CellAt
 * @property {string} parameter
 * @property {StatisticName} stat
 * @property {number} first step
 * @property {number} last step
 *
 * @typedef {object} FigureAt
 * @property {number} value
 * @property {number} from the figure is of a step from here
 * @property {number} to to here: the same step where it is known
 *
 * @typedef {object} CellFigures
 * @property {number} samples
 * @property {FigureAt | null} last null where the last value is not finite
 * @property {FigureAt | null} least
 * @property {FigureAt | null} greatest
 */
import { getJson } from "../link/api.js";

const REST_MS = 120;
const POINTS = 600;
const KEPT = 64;

export class CellReader {
  /** @type {Map<string, CellFigures>} */
  #known = new Map();
  #waiting = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {string} api
   * @param {() => void} onChange an answer has come
   * @param {(path: string) => Promise<any>} [get]
   * @param {number} [rest] ms for which a cell is pointed at before it is asked for
   */
  constructor(api, onChange, get = getJson, rest = REST_MS) {
    this.api = api;
    this.onChange = onChange;
    this.get = get;
    this.rest = rest;
  }

  /**
   * What is known of a cell; what is not is asked for when no other cell is asked about meanwhile.
   * @param {CellAt} cell
   * @returns {CellFigures | null}
   */
  figures({ parameter, stat, first, last }) {
    const query = `series?${new URLSearchParams({ parameter, stat, from: String(first), to: String(last), points: String(POINTS) })}`;
    const known = this.#known.get(query);
    if (known !== undefined) return known;
    if (query === this.#waiting) return null;
    clearTimeout(this.#timer);
    this.#waiting = query;
    this.#timer = setTimeout(() => void this.#fetch(query, first), this.rest);
    return null;
  }

  /**
   * @param {string} query
   * @param {number} first
   */
  async #fetch(query, first) {
    try {
      const figures = figuresOf(await this.get(`${this.api}/${query}`), first);
      if (this.#known.size >= KEPT) this.#known.clear();
      this.#known.set(query, figures);
    } catch {
      return; // the tooltip keeps what the colour tells, and the heat map says why the server does not answer
    } finally {
      if (this.#waiting === query) this.#waiting = "";
    }
    this.onChange();
  }
}

/**
 * @param {Pick<import("../wire.js").SeriesRow, "steps" | "values" | "min" | "max" | "samples">} series
 * @param {number} first the first step that was asked for
 * @returns {CellFigures}
 */
export function figuresOf({ steps, values, min, max, samples }, first) {
  const single = samples === steps.length;
  /** @param {number} i @param {number | null} value @returns {FigureAt | null} */
  const at = (i, value) => (i < 0 || value === null ? null : { value, from: single ? steps[i] : i === 0 ? Math.min(first, steps[0]) : steps[i - 1] + 1, to: steps[i] });
  const greatest = placeOf(max, (one, other) => one > other);
  const least = placeOf(min, (one, other) => one < other);
  const end = steps.length - 1;
  const last = values[end] ?? null;
  return {
    samples,
    last: last === null ? null : { value: last, from: steps[end], to: steps[end] },
    least: at(least, min[least]),
    greatest: at(greatest, max[greatest]),
  };
}

/**
 * The place of the first value that no other beats, −1 where there is none.
 * @param {readonly (number | null)[]} values
 * @param {(one: number, other: number) => boolean} beats
 */
function placeOf(values, beats) {
  let best = -1;
  values.forEach((value, i) => {
    if (value !== null && (best < 0 || beats(value, values[best] ?? 0))) best = i;
  });
  return best;
}
