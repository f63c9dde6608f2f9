/**
 * Cells as pixels. Of several columns in one pixel the worst state or the greatest value is seen, and what
 * stands out of its row is two pixels wide at least, however many steps there are.
 *
 * @typedef {import("./cells.js").Cells} Cells
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 *
 * @typedef {object} Inks colours as the bytes of an image, 0xAABBGGRR
 * @property {Uint32Array} shades by shade; that of 0 is for no value
 * @property {Uint32Array} states by wire code
 * @property {number} ground below the pattern of a state
 */
import { stateCode, STATES } from "../model/states.js";
import { ZERO_SHADE } from "./cells.js";
import { StepAxis } from "./step_axis.js";

/** How wide what stands out is at least, in CSS px. */
const NARROWEST = 2;
/** How many shades more than usual in the row make a cell stand out. */
const OUTLIER_SHADES = 10;
/** The share of a row's height above the pattern of a state, where there is a value too. */
const VALUE_SHARE = 0.55;

/**
 * Is the pattern of a state inked at a pixel? Each state has its own.
 * @type {{readonly [state: string]: (x: number, y: number) => boolean}}
 */
const PATTERNS = Object.freeze({
  nonfinite: () => true,
  absent: (x, y) => (x + y) % 5 < 2 || (x - y + 1000) % 5 === 0,
  zero: (_x, y) => y % 3 === 0,
  stale: (x) => x % 4 < 2,
  frozen: (x, y) => (x + y) % 6 < 2,
  gated: (x, y) => (((x - y) % 6) + 6) % 6 < 2,
});

/** How bad each state is by wire code, 0 for one that is only a value. */
const RANKS = Uint8Array.from(STATES, ({ name, severity }) => (name in PATTERNS ? 16 - severity : 0));
const TROUBLES = Uint8Array.from(STATES, ({ standing }) => (standing === "trouble" ? 1 : 0));
const ZERO_STATE = stateCode("zero");
const PATTERN_OF = STATES.map(({ name }) => PATTERNS[name] ?? null);

/**
 * The column that each pixel of a row shows, −1 for none.
 * @param {Cells} cells
 * @param {number} row
 * @param {StepAxis} axis in the image's pixels
 * @param {number} ratio pixels of the image to one CSS px
 */
export function pixelColumns(cells, row, axis, ratio) {
  const { columns, shades, states, first, ends } = cells;
  const from = row * columns;
  const shown = new Int32Array(axis.width).fill(-1);
  const usual = usualShade(shades.subarray(from, from + columns));
  /** @param {number} column */
  const rank = (column) => (column < 0 ? -1 : RANKS[states[from + column]] * 256 + shades[from + column]);
  /** @type {[number, number][]} */
  const outliers = [];
  for (let column = 0; column < columns; column += 1) {
    const start = Math.floor(axis.xOf(first[column]));
    const end = Math.max(start + 1, Math.floor(axis.xOf(ends[column])));
    if (end <= 0 || start >= axis.width) continue;
    fill(shown, start, end, column, rank);
    const narrow = end - start < NARROWEST * ratio;
    const outlying = TROUBLES[states[from + column]] === 1 || shades[from + column] > usual + OUTLIER_SHADES;
    if (narrow && outlying) outliers.push([start, column]);
  }
  for (const [start, column] of outliers) fill(shown, start, start + Math.ceil(NARROWEST * ratio), column, rank);
  return shown;
}

/**
 * The column that is drawn at a place, −1 for none: what stands out is wider than its steps.
 * @param {Cells} cells
 * @param {number} row
 * @param {StepRange} range that the cells are painted for
 * @param {StepAxis} axis in sight, in CSS px
 * @param {number} x CSS px
 * @param {number} ratio pixels of the image to one CSS px
 */
export function drawnColumn(cells, row, range, axis, x, ratio) {
  const [left, right] = [axis.xOf(range[0]), axis.xOf(range[1] + 1)];
  const width = Math.round(axis.width * ratio);
  const pixel = Math.floor(((Math.floor(x) + 0.5 - left) / (right - left)) * width);
  return pixelColumns(cells, row, new StepAxis(range, 0, width), ratio)[pixel] ?? -1;
}

/**
 * @param {Int32Array} shown
 * @param {number} start
 * @param {number} end
 * @param {number} column
 * @param {(column: number) => number} rank
 */
function fill(shown, start, end, column, rank) {
  const mine = rank(column);
  const stop = Math.min(end, shown.length);
  for (let x = Math.max(0, start); x < stop; x += 1) if (mine > rank(shown[x])) shown[x] = column;
}

/**
 * The shade that three quarters of a row's values do not exceed.
 * @param {Uint8Array} shades
 */
function usualShade(shades) {
  const known = shades.filter((shade) => shade > 0).sort();
  return known[Math.floor(known.length * 0.75)] ?? 0;
}

/**
 * Paint cells into an image of `axis.width` × `tops[rows]` pixels.
 * @param {Cells} cells
 * @param {StepAxis} axis in the image's pixels
 * @param {readonly number[]} tops where each row begins, and where the last ends, in the image's pixels
 * @param {Inks} inks
 * @param {number} ratio pixels of the image to one CSS px
 * @returns {Uint32Array}
 */
export function paintCells(cells, axis, tops, inks, ratio) {
  const { width } = axis;
  const pixels = new Uint32Array(width * tops[tops.length - 1]);
  const gap = Math.max(1, Math.round(ratio));
  for (let row = 0; row < cells.names.length; row += 1) {
    const shown = pixelColumns(cells, row, axis, ratio);
    const [top, bottom] = [tops[row], tops[row + 1] - (tops[row + 1] - tops[row] > 4 * gap ? gap : 0)];
    for (let x = 0; x < width; x += 1) {
      const column = shown[x];
      if (column < 0) continue;
      const at = row * cells.columns + column;
      const shade = cells.shades[at];
      const state = patternedState(cells.states[at], shade);
      const pattern = PATTERN_OF[state] ?? null;
      const patterned = pattern === null ? bottom : shade > ZERO_SHADE ? top + Math.ceil((bottom - top) * VALUE_SHARE) : top;
      for (let y = top; y < patterned; y += 1) pixels[y * width + x] = inks.shades[shade];
      if (pattern === null) continue;
      const ink = inks.states[state];
      for (let y = patterned; y < bottom; y += 1) {
        pixels[y * width + x] = pattern(Math.floor(x / gap), Math.floor(y / gap)) ? ink : inks.ground;
      }
    }
  }
  return pixels;
}

/**
 * The state whose pattern a cell has: its own, or that of zero where the value is, as of a weight that stays.
 * @param {number} state wire code
 * @param {number} shade
 */
function patternedState(state, shade) {
  return RANKS[state] === 0 && shade === ZERO_SHADE ? ZERO_STATE : state;
}

/**
 * The runs of cells of a row that are in one state with a pattern, for a glyph each.
 * @param {Cells} cells
 * @param {number} row
 * @returns {{state: number, from: number, to: number}[]} steps; `to` is behind the last
 */
export function stateRuns(cells, row) {
  const { columns, states, first, ends } = cells;
  const runs = [];
  let start = 0;
  for (let column = 1; column <= columns; column += 1) {
    const state = states[row * columns + start];
    const goesOn = column < columns && states[row * columns + column] === state && first[column] <= ends[column - 1];
    if (goesOn) continue;
    if (RANKS[state] > 0) runs.push({ state, from: first[start], to: ends[column - 1] });
    start = column;
  }
  return runs;
}
