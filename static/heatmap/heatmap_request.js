/**
 * What is asked of the server for a heat map, and which rows may be opened.
 *
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 * @typedef {import("../model/view_url.js").CellFigure} CellFigure
 *
 * @typedef {object} Subject what is drawn, whatever the steps
 * @property {import("../link/statistics.js").StatisticName} stat
 * @property {CellFigure} of
 * @property {string} within path of a module; "" for the whole model
 *
 * @typedef {object} Room how many cells there are pixels for
 * @property {number} columns
 * @property {number} rows
 */

const MOST_COLUMNS = 4096;
const CELLS = 1_048_576;
/** What stands between the first and the last of several neighbours in the name of a row. */
export const NEIGHBOURS = " … ";

/**
 * @param {Subject} subject
 * @param {Room} room
 * @param {StepRange | null} range
 */
export function heatmapQuery({ stat, of, within }, room, range) {
  const columns = Math.max(1, Math.min(MOST_COLUMNS, room.columns));
  const rows = Math.max(1, Math.min(MOST_COLUMNS, room.rows, Math.floor(CELLS / columns)));
  const query = new URLSearchParams({ stat, of, columns: String(columns), rows: String(rows) });
  if (within !== "") query.set("match", within);
  if (range !== null) {
    query.set("from", String(range[0]));
    query.set("to", String(range[1]));
  }
  return `heatmap?${query}`;
}

/**
 * The module that a row opens, or null where opening would show the same again. Neighbours that share a
 * row open what they all lie in.
 * @param {string} name of the row
 * @param {string} within the module that is open, "" for the whole model
 */
export function moduleToOpen(name, within) {
  const [first, last] = name.split(NEIGHBOURS);
  const module = last === undefined ? name : moduleAround(first, last);
  return module === "" || module === within ? null : module;
}

/**
 * The module that two paths lie in, "" for the model itself.
 * @param {string} one
 * @param {string} other
 */
export function moduleAround(one, other) {
  const [parts, others] = [one.split("."), other.split(".")];
  const differs = parts.findIndex((part, i) => part !== others[i]);
  return parts.slice(0, differs < 0 ? parts.length : differs).join(".");
}

/**
 * The modules around a module, outermost first, itself the last.
 * @param {string} path
 */
export function modulesAround(path) {
  if (path === "") return [];
  const parts = path.split(".");
  return parts.map((_, i) => parts.slice(0, i + 1).join("."));
}
