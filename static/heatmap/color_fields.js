/**
 * The two fields for the ends of the colours: empty ones follow the values, and show where these end.
 *
 * @typedef {readonly [number, number]} Ends
 */
import { formatNumber } from "../base/format.js";
import { colorsOf } from "../model/view_url.js";

export class ColorFields {
  /** @type {Ends} decades that the values have */
  #automatic = [-4, 0];

  /**
   * @param {HTMLInputElement} low
   * @param {HTMLInputElement} high
   * @param {(colors: Ends | null) => void} onChoose null for ends that follow the values
   */
  constructor(low, high, onChoose) {
    this.fields = [low, high];
    this.onChoose = onChoose;
    for (const field of this.fields) field.addEventListener("change", () => this.#choose(field));
  }

  /**
   * @param {Ends | null} colors that are chosen
   * @param {Ends} automatic decades that the values have
   */
  render(colors, automatic) {
    this.#automatic = automatic;
    this.fields.forEach((field, i) => {
      field.placeholder = `1e${automatic[i]}`;
      if (field !== document.activeElement && field.validity.valid) field.value = colors === null ? "" : shortest(colors[i]);
    });
  }

  /** An empty field beside one that is not is the end that the values have. @param {HTMLInputElement} changed */
  #choose(changed) {
    const texts = this.fields.map(({ value }) => value.trim().replace(",", "."));
    const chosen = texts.some((text) => text !== "");
    const colors = chosen ? colorsOf(texts.map((text, i) => (text === "" ? String(10 ** this.#automatic[i]) : text))) : null;
    for (const field of this.fields) field.setCustomValidity("");
    if (chosen && colors === null) {
      changed.setCustomValidity(`Give numbers above zero, as 0.001 or 1e-3, the lower one first (values end at ${this.#automatic.map((decade) => formatNumber(10 ** decade)).join(" and ")}), or nothing.`);
      changed.reportValidity();
    } else this.onChoose(colors);
  }
}

/** @param {number} value */
function shortest(value) {
  return value >= 1e-3 && value < 1e5 ? String(value) : value.toExponential().replace("e+", "e");
}
