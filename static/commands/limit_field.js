/**
 * The field in which a person says for how long a freeze or a gate is to last.
 *
 * @typedef {import("../wire.js").Limit} Limit
 * @typedef {"" | "steps" | "minutes" | "watched"} Lasting
 */
import { find } from "../base/dom.js";

const MINUTE = 60;

export class LimitField {
  /** @param {HTMLElement} place that has a select and, behind it, the input of a number */
  constructor(place) {
    this.lasting = /** @type {HTMLSelectElement} */ (find(place, "select"));
    this.amount = /** @type {HTMLInputElement} */ (find(place, "input"));
    /** What the field was filled with, and stands for until it is edited. @type {Limit | null} */
    this.given = null;
    this.edited = false;
  }

  /** @param {Limit | null} limit */
  fill(limit) {
    const { lasting, amount } = fieldsOf(limit);
    this.given = limit;
    this.edited = false;
    this.lasting.value = lasting;
    this.amount.value = amount;
    this.#show();
  }

  /**
   * Is this one of its inputs? It was edited, then.
   * @param {EventTarget | null} input
   */
  takes(input) {
    const mine = input === this.lasting || input === this.amount;
    if (mine) {
      this.edited = true;
      this.#show();
    }
    return mine;
  }

  /** What is asked for; null for no limit. @returns {Limit | null} */
  get limit() {
    return this.edited ? limitOf(this.#kind, this.amount.value) : this.given;
  }

  /** What has yet to be said, or null. */
  get missing() {
    return this.edited ? missingIn(this.#kind, this.amount.value) : null;
  }

  get #kind() {
    return /** @type {Lasting} */ (this.lasting.value);
  }

  #show() {
    this.amount.hidden = !(this.#kind === "steps" || this.#kind === "minutes");
    this.amount.setAttribute("aria-label", this.#kind === "minutes" ? "Minutes" : "Steps");
    this.amount.step = this.#kind === "minutes" ? "any" : "1";
  }
}

/**
 * A limit as the inputs hold it; of several ends the first.
 * @param {Limit | null} limit
 * @returns {{lasting: Lasting, amount: string}}
 */
export function fieldsOf(limit) {
  if (limit?.steps != null) return { lasting: "steps", amount: String(limit.steps) };
  if (limit?.seconds != null) return { lasting: "minutes", amount: String(limit.seconds / MINUTE) };
  return { lasting: limit?.while_watched ? "watched" : "", amount: "" };
}

/**
 * @param {Lasting} lasting
 * @param {string} amount
 * @returns {Limit | null}
 */
export function limitOf(lasting, amount) {
  if (lasting === "steps") return { steps: Number(amount), seconds: null, while_watched: false };
  if (lasting === "minutes") return { steps: null, seconds: Number(amount) * MINUTE, while_watched: false };
  return lasting === "watched" ? { steps: null, seconds: null, while_watched: true } : null;
}

/**
 * @param {Lasting} lasting
 * @param {string} amount
 */
export function missingIn(lasting, amount) {
  const number = Number(amount);
  if (lasting === "steps" && !(Number.isInteger(number) && number >= 1)) return "Say for how many steps: a whole number from 1 up.";
  if (lasting === "minutes" && !(Number.isFinite(number) && number > 0)) return "Say for how many minutes: a number above 0.";
  return null;
}
