/**
 * What the signs of the page mean: of each state its glyph and its pattern in the heat map, and the marks over the steps.
 */
import { element } from "../base/dom.js";
import { glyph } from "../base/glyphs.js";
import { stateGlyph } from "../model/state_glyph.js";
import { STATES } from "../model/states.js";
import { paintCells } from "./cell_painting.js";
import { Cells } from "./cells.js";
import { inksOf } from "./inks.js";
import { StepAxis } from "./step_axis.js";

const WIDTH = 24;
const HEIGHT = 14;
const SOME_SHADE = 128;
const MARKS = Object.freeze([
  { path: "M8 3L13 8L8 13L3 8z", color: "text", meaning: "A command took effect." },
  { path: "M3 4H13L8 13z", color: "state-nonfinite", meaning: "Something happened that deserves a look." },
  { path: "M3 4H13L8 13z", color: "muted", meaning: "Something happened that is worth knowing." },
]);

export class SignLegend {
  /** @param {HTMLElement} list a list of descriptions */
  constructor(list) {
    this.swatches = STATES.map(() => element("canvas", { class: "swatch", "aria-hidden": "true" }));
    const states = STATES.map(({ name, meaning }, code) => entry([stateGlyph(code), this.swatches[code]], `${name}: ${meaning}`));
    const marks = MARKS.map(({ path, color, meaning }) => {
      const mark = glyph(path, true);
      mark.style.color = `var(--${color})`;
      return entry([mark], meaning);
    });
    list.replaceChildren(...states, ...marks);
  }

  /** Draw the patterns in the colours of a theme. @param {Record<string, string>} tokens */
  draw(tokens) {
    this.swatches.forEach((canvas, code) => paintSwatch(/** @type {HTMLCanvasElement} */ (canvas), code, tokens));
  }
}

/**
 * @param {readonly Node[]} signs
 * @param {string} meaning
 */
function entry(signs, meaning) {
  return element("div", {}, element("dt", {}, ...signs), element("dd", {}, meaning));
}

/**
 * A cell as the heat map has it.
 * @param {HTMLCanvasElement} canvas
 * @param {number} code of a state
 * @param {Record<string, string>} tokens
 */
function paintSwatch(canvas, code, tokens) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [WIDTH, HEIGHT].map((side) => Math.round(side * ratio));
  const shade = STATES[code].name === "present" ? SOME_SHADE : 0;
  const cells = new Cells({ first: [0], last: [0], rows: [""], parameters: [1], range: [-1, 1], shades: Uint8Array.of(shade), states: Uint8Array.of(code) });
  const pixels = paintCells(cells, new StepAxis([0, 0], 0, width), [0, height], inksOf(cells, [-1, 1], tokens), ratio);
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d")?.putImageData(new ImageData(new Uint8ClampedArray(/** @type {ArrayBuffer} */ (pixels.buffer)), width), 0, 0);
}
