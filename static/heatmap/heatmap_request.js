/**
 * What is asked of the server for a heat map, and which rows may be opened.
 *
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 * @typedef {import("../model/view_url.js").CellFigure} CellFigure
 *
 * @typedef {object} Subject what is drawn, whatever the steps
 * @property {import("../link/statistics.js").StatisticName} stat
 * @property {CellFigure} of
 * @property {string} within path of a module, or the name of a row of neighbours; "" for the whole model
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
 * What a row opens: the module or the neighbours that it is called by, or null where that would show the same again.
 * @param {string} name of the row
 * @param {string} within what is open, "" for the whole model
 */
export function rowToOpen(name, within) {
  return name === within ? null : name;
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
 * The modules around a module or a row of neighbours, outermost first, itself the last.
 * @param {string} path
 */
export function modulesAround(path) {
  if (path === "") return [];
  const [first, last] = path.split(NEIGHBOURS);
  if (last !== undefined) return [...modulesOf(moduleAround(first, last)), path];
  return modulesOf(path);
}

/** @param {string} path of a module, "" for the model @returns {string[]} */
function modulesOf(path) {
  return path === "" ? [] : path.split(".").map((_, i, parts) => parts.slice(0, i + 1).join("."));
}
