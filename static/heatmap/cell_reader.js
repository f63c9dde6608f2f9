/**
 * What the server says of the cell that the pointer rests on.
 */
import { getJson } from "../link/api.js";

const REST_MS = 120;
const KEPT = 64;

export class CellReader {
  /** @type {Map<string, any>} answers by what was asked */
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
   * The answer as far as it is known, or null; it is asked for when nothing else is asked meanwhile.
   * @param {string} query
   * @returns {any}
   */
  answer(query) {
    const known = this.#known.get(query);
    if (known !== undefined) return known;
    if (query === this.#waiting) return null;
    clearTimeout(this.#timer);
    this.#waiting = query;
    this.#timer = setTimeout(() => void this.#fetch(query), this.rest);
    return null;
  }

  /** @param {string} query */
  async #fetch(query) {
    try {
      const answer = await this.get(`${this.api}/${query}`);
      if (this.#known.size >= KEPT) this.#known.clear();
      this.#known.set(query, answer);
    } catch {
      return; // the tooltip keeps what the colour tells, and the heat map says why the server does not answer
    } finally {
      if (this.#waiting === query) this.#waiting = "";
    }
    this.onChange();
  }
}
