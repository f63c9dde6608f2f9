/** Where the parts of the heat map are on its canvas, in CSS px. */

export const TOP = 18;
export const BOTTOM = 20;
const WIDEST_LABELS = 220;
const LABEL_SHARE = 0.24;
const BAR_WIDTH = 62;
/** Below this width there is no room for a colour bar. */
const NARROW = 520;
const TALLEST_ROW = 72;
/** The height of a row whose name can be read. */
export const ROW_HEIGHT = 12;

/**
 * @typedef {object} Layout
 * @property {number} left where the cells begin
 * @property {number} width of the cells
 * @property {number} height of the cells
 * @property {number} bar width of the colour bar and its figures, 0 for none
 * @property {number} rowHeight
 */

/**
 * @param {number} width of the canvas
 * @param {number} height
 * @param {number} rows
 * @returns {Layout}
 */
export function layoutOf(width, height, rows) {
  const left = Math.round(Math.min(WIDEST_LABELS, width * LABEL_SHARE));
  const bar = width < NARROW ? 0 : BAR_WIDTH;
  const room = Math.max(1, height - TOP - BOTTOM);
  const rowHeight = Math.min(TALLEST_ROW, room / Math.max(1, rows));
  return { left, width: Math.max(1, width - left - bar - 8), height: rowHeight * Math.max(1, rows), bar, rowHeight };
}

/**
 * How many cells there is room for, of at least two pixels each.
 * @param {number} width of the canvas
 * @param {number} height
 */
export function roomOf(width, height) {
  const { width: cells } = layoutOf(width, height, 1);
  return { columns: Math.max(1, Math.floor(cells / 2)), rows: Math.max(1, Math.floor((height - TOP - BOTTOM) / ROW_HEIGHT)) };
}

/**
 * The row at a height, −1 for none.
 * @param {Layout} layout
 * @param {number} y
 * @param {number} rows
 */
export function rowAt({ rowHeight }, y, rows) {
  const row = Math.floor((y - TOP) / rowHeight);
  return row >= 0 && row < rows ? row : -1;
}
