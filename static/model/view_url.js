/**
 * The view is the URL: what a person chose survives a reload and can be sent to a colleague.
 *
 * @typedef {"parameters" | "metrics"} LineTab
 *
 * @typedef {object} View
 * @property {string} filter
 * @property {string[]} selected names of parameters
 * @property {string} tab "" for the page's own choice
 * @property {"commands" | "gates"} log which list is in sight
 * @property {Set<string>} collapsed paths of modules
 * @property {string[]} metrics names of the metrics shown; empty for the page's own choice
 * @property {string} why name of the parameter that is explained; "" for none
 */

export const TABS = Object.freeze(["parameters", "metrics"]);
export const MAX_SELECTED = 8;

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
    log: query.get("log") === "gates" ? "gates" : "commands",
    collapsed: new Set(query.getAll("collapsed")),
    metrics: [...new Set(query.getAll("metric"))],
    why: query.get("why") ?? "",
  };
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
  if (view.log !== "commands") query.set("log", view.log);
  for (const path of view.collapsed) query.append("collapsed", path);
  for (const name of view.metrics) query.append("metric", name);
  if (view.why !== "") query.set("why", view.why);
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
