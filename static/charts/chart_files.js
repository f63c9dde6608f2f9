/**
 * The buttons that save what a chart shows: its points as CSV, its picture as PNG or SVG.
 *
 * @typedef {"csv" | "png" | "svg"} FileKind
 *
 * @typedef {object} Saved
 * @property {string} name of the file, without its ending
 * @property {string} csv
 * @property {import("./plotly.js").Picture} picture
 */
import { element } from "../base/dom.js";

const LABELS = Object.freeze({ csv: "CSV", png: "PNG", svg: "SVG" });
const TITLES = Object.freeze({
  csv: "Save the points that are drawn, as a table",
  png: "Save the chart as a picture",
  svg: "Save the chart as a drawing that can be scaled",
});
const KINDS = Object.freeze(/** @type {const} */ (["csv", "png", "svg"]));
const SCALE = 2;

export class ChartFiles {
  /**
   * @param {HTMLElement} box
   * @param {() => Saved | null} saved null where nothing is drawn
   */
  constructor(box, saved) {
    this.saved = saved;
    this.buttons = KINDS.map((kind) => {
      const button = /** @type {HTMLButtonElement} */ (element("button", { type: "button", class: "button", title: TITLES[kind] }, LABELS[kind]));
      button.addEventListener("click", () => void this.#save(kind));
      return button;
    });
    box.append(...this.buttons);
  }

  /** Is there anything to save? @param {boolean} there */
  enable(there) {
    for (const button of this.buttons) button.disabled = !there;
  }

  /** @param {FileKind} kind */
  async #save(kind) {
    const saved = this.saved();
    if (saved === null) return;
    const address = kind === "csv" ? URL.createObjectURL(new Blob([saved.csv], { type: "text/csv" })) : await pictureOf(saved, kind);
    element("a", { href: address, download: `${saved.name}.${kind}` }).click();
    if (kind === "csv") URL.revokeObjectURL(address);
  }
}

/**
 * @param {Saved} saved
 * @param {"png" | "svg"} format
 */
function pictureOf({ picture: { data, layout, width, height } }, format) {
  return Plotly.toImage({ data, layout }, { format, width, height, scale: format === "png" ? SCALE : 1 });
}

/**
 * A file's name from the words that say what it is of.
 * @param {readonly string[]} words
 */
export function fileName(words) {
  return words.map((word) => word.replaceAll(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 80)).join("-");
}
