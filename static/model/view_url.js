/**
 * The view is the URL: what a person chose survives a reload and can be sent to a colleague.
 *
 * @typedef {import("../link/statistics.js").StatisticName} StatisticName
 * @typedef {"parameters" | "metrics"} LineTab
 * @typedef {"" | typeof SORTS[number]} Sort
 * @typedef {"grad_norm" | "update_ratio" | "state"} SortColumn
 * @typedef {typeof LOGS[number]} Log
 * @typedef {readonly [number, number]} StepRange two steps, both included
 * @typedef {typeof CELL_FIGURES[number]} CellFigure which of the values in a cell of the heat map is shown
 *
 * @typedef {object} View
 * @property {string} filter
 * @property {string[]} selected names of parameters
 * @property {string} tab "" for the page's own choice
 * @property {Log} log which list is in sight
 * @property {Set<string>} collapsed paths of modules
 * @property {Set<string>} opened paths of modules
 * @property {number | null} depth how many levels of the other modules are open; null for as many as fit
 * @property {string[]} metrics names of the metrics shown; empty for the page's own choice
 * @property {StatisticName} stat what the lines of parameters show
 * @property {number} smooth over how many points metrics are smoothed; 0 for not at all
 * @property {"linear" | "log"} scale of the metrics' axes
 * @property {Sort} sort how the tree is sorted; "" for model order
 * @property {string} why name of the parameter that is explained; "" for none
 * @property {CellFigure} of
 * @property {readonly [number, number] | null} colors values at the ends of the heat map's colours; null for ends that follow the values
 * @property {string} within what the heat map is opened to, a module's path or the name of a row of neighbours; "" for the whole model
 * @property {import("./events.js").EventFilter} events which events are listed
 * @property {number | null} event the event that the charts show
 * @property {StepRange | null} range the steps that the heat map shows; null for the whole run as it grows
 */
import { KINDS, LEVELS } from "./events.js";
import { FIRST_STATISTIC, isStatistic } from "../link/statistics.js";

/** What the tree can be sorted by: the largest, or the worst state, first with a `-`. */
export const SORTS = Object.freeze(
  /** @type {const} */ (["-grad_norm", "grad_norm", "-update_ratio", "update_ratio", "-state", "state"]),
);
export const TABS = Object.freeze(["parameters", "metrics"]);
/** The lists below one another's place, the first of which is shown at first. */
export const LOGS = Object.freeze(/** @type {const} */ (["commands", "gates", "events"]));
export const CELL_FIGURES = Object.freeze(/** @type {const} */ (["max", "mean", "min"]));
/** Over how many points metrics can be smoothed. */
export const SMOOTHINGS = Object.freeze([0, 5, 20, 100]);
export const MAX_SELECTED = 8;
const ALL_LEVELS = "all";

/**
 * @param {string} search the query string, with or without its `?`
 * @returns {View}
 */
export function readView(search) {
  const query = new URLSearchParams(search);
  const tab = query.get("tab") ?? "";
  return {
    filter: query.get("filter") ?? "",
    selected: [...new Set(query.getAll("selected"))].slice(0, MAX_SELECTED),
    tab: TABS.includes(tab) ? tab : "",
    log: logOf(query.get("log") ?? ""),
    collapsed: new Set(query.getAll("collapsed")),
    opened: new Set(query.getAll("opened")),
    depth: depthOf(query.get("depth")),
    metrics: [...new Set(query.getAll("metric"))],
    stat: statisticOf(query.get("stat") ?? ""),
    smooth: smoothingOf(query.get("smooth") ?? ""),
    scale: scaleOf(query.get("scale") ?? ""),
    sort: SORTS.find((sort) => sort === query.get("sort")) ?? "",
    why: query.get("why") ?? "",
    of: figureOf(query.get("of") ?? ""),
    colors: colorsOf((query.get("colors") ?? "").split(",")),
    within: query.get("within") ?? "",
    events: eventFilterOf(query),
    event: idOf(query.get("event")),
    range: rangeOf(query.get("from"), query.get("to")),
  };
}

/**
 * Which events are listed; a kind or a level that there is not chooses nothing.
 * @param {URLSearchParams} query
 */
function eventFilterOf(query) {
  const one = (/** @type {string} */ key, /** @type {readonly string[]} */ of) => of.find((each) => each === query.get(key)) ?? "";
  return {
    kind: one("event_kind", KINDS),
    level: one("event_level", LEVELS),
    text: query.get("event_text") ?? "",
    dismissed: query.get("event_dismissed") === "1",
  };
}

/** A number of levels, or all of them. @param {string | null} text */
function depthOf(text) {
  if (text === ALL_LEVELS) return Infinity;
  return /^\d{1,3}$/.test(text ?? "") ? Number(text) : null;
}

/** @param {string | null} text */
function idOf(text) {
  return /^\d{1,15}$/.test(text ?? "") ? Number(text) : null;
}

/**
 * The steps between two, or null where they are none.
 * @param {string | null} from
 * @param {string | null} to
 * @returns {StepRange | null}
 */
function rangeOf(from, to) {
  const [first, last] = [from, to].map((text) => (/^\d{1,15}$/.test(text ?? "") ? Number(text) : NaN));
  return first <= last ? [first, last] : null;
}

/**
 * The ends of colours that two texts mean: two numbers above zero, the greater behind; null for others.
 * @param {readonly string[]} texts
 * @returns {readonly [number, number] | null}
 */
export function colorsOf(texts) {
  const [low, high] = texts.map(Number);
  return texts.length === 2 && low > 0 && high > low && high < Infinity ? [low, high] : null;
}

/**
 * The figure of this name, or else the one that is shown at first.
 * @param {string} word
 * @returns {CellFigure}
 */
export function figureOf(word) {
  return CELL_FIGURES.find((figure) => figure === word) ?? CELL_FIGURES[0];
}

/**
 * The list of this name, or else the one that is shown at first.
 * @param {string} word
 * @returns {Log}
 */
export function logOf(word) {
  return LOGS.find((log) => log === word) ?? LOGS[0];
}

/**
 * The statistic of this name, or else the one that is shown at first.
 * @param {string} word
 * @returns {StatisticName}
 */
export function statisticOf(word) {
  return isStatistic(word) ? word : FIRST_STATISTIC;
}

/**
 * The smoothing over so many points, or else none.
 * @param {string} word
 */
export function smoothingOf(word) {
  return SMOOTHINGS.find((points) => String(points) === word) ?? 0;
}

/**
 * @param {string} word
 * @returns {"linear" | "log"}
 */
export function scaleOf(word) {
  return word === "log" ? "log" : "linear";
}

/**
 * What a click on the head of a column makes of the order: largest first, smallest first, model order.
 * @param {Sort} sort
 * @param {SortColumn} column
 * @returns {Sort}
 */
export function nextSort(sort, column) {
  if (sort === `-${column}`) return column;
  return sort === column ? "" : `-${column}`;
}

/**
 * The query string of a view: "" for the view that nobody changed.
 * @param {View} view
 */
export function writeView(view) {
  const query = new URLSearchParams();
  if (view.filter !== "") query.set("filter", view.filter);
  for (const name of view.selected) query.append("selected", name);
  if (view.tab !== "") query.set("tab", view.tab);
  if (view.log !== LOGS[0]) query.set("log", view.log);
  if (view.depth !== null) query.set("depth", view.depth === Infinity ? ALL_LEVELS : String(view.depth));
  for (const path of view.collapsed) query.append("collapsed", path);
  for (const path of view.opened) query.append("opened", path);
  for (const name of view.metrics) query.append("metric", name);
  if (view.stat !== FIRST_STATISTIC) query.set("stat", view.stat);
  if (view.smooth !== 0) query.set("smooth", String(view.smooth));
  if (view.scale !== "linear") query.set("scale", view.scale);
  if (view.sort !== "") query.set("sort", view.sort);
  if (view.why !== "") query.set("why", view.why);
  if (view.of !== CELL_FIGURES[0]) query.set("of", view.of);
  if (view.colors !== null) query.set("colors", view.colors.join());
  if (view.within !== "") query.set("within", view.within);
  if (view.events.kind !== "") query.set("event_kind", view.events.kind);
  if (view.events.level !== "") query.set("event_level", view.events.level);
  if (view.events.text !== "") query.set("event_text", view.events.text);
  if (view.events.dismissed) query.set("event_dismissed", "1");
  if (view.event !== null) query.set("event", String(view.event));
  if (view.range !== null) {
    query.set("from", String(view.range[0]));
    query.set("to", String(view.range[1]));
  }
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

/**
 * The tab in sight: the one that was chosen, else the parameters' when some are selected.
 * @param {View} view
 * @returns {LineTab}
 */
export function tabOf({ tab, selected }) {
  if (tab === "parameters" || tab === "metrics") return tab;
  return selected.length > 0 ? "parameters" : "metrics";
}
