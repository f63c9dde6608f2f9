/**
 * Which runs the list shows and in which order, as its URL says: those that a text finds and that have
 * all of some tags, archived ones when asked.
 *
 * @typedef {import("../wire.js").RunRow} RunRow
 *
 * @typedef {object} RunQuery
 * @property {string} text words that all have to be found
 * @property {boolean} archived are archived runs shown too?
 * @property {readonly string[]} tags
 * @property {string | null} group only runs of this one
 * @property {readonly string[]} opened families of which every run is listed
 * @property {string} sort a column, with a `-` for its largest first; "" for the newest run first
 */
import { wordMatcher } from "../base/glob.js";
import { rooted } from "../base/root.js";
import { runName } from "../model/run_name.js";
import { isSort } from "./run_order.js";

/**
 * @param {string} search of a URL
 * @returns {RunQuery}
 */
export function readRunQuery(search) {
  const query = new URLSearchParams(search);
  const sort = query.get("sort") ?? "";
  return {
    text: query.get("q") ?? "",
    archived: query.has("archived"),
    tags: [...new Set(query.getAll("tag"))],
    group: query.get("group"),
    opened: [...new Set(query.getAll("opened"))],
    sort: isSort(sort) ? sort : "",
  };
}

/**
 * The address of the list under a query.
 * @param {RunQuery} asked
 */
export function runQueryLink({ text, archived, tags, group, opened, sort }) {
  const query = new URLSearchParams(tags.map((tag) => ["tag", tag]));
  if (text.trim() !== "") query.set("q", text);
  if (archived) query.set("archived", "1");
  if (group !== null) query.set("group", group);
  for (const family of opened) query.append("opened", family);
  if (sort !== "") query.set("sort", sort);
  return rooted(query.size > 0 ? `/?${query}` : "/");
}

/**
 * Does a query look for some runs, so that each that it finds is listed?
 * @param {RunQuery} query
 */
export function looksForSome({ text, tags, group }) {
  return text.trim() !== "" || tags.length > 0 || group !== null;
}

/**
 * Which runs a query finds, archived or not: each word has to be in the name, the group, the identifier, a
 * tag, the notes, the host or the status; a glob has to be the whole of one of them.
 * @param {Pick<RunQuery, "text" | "tags" | "group">} query
 * @returns {(run: RunRow) => boolean}
 */
export function runFinder({ text, tags, group }) {
  const words = text.split(/\s+/).filter(Boolean).map(wordMatcher);
  return (run) => {
    const texts = [runName(run), run.group ?? "", run.id, ...run.tags, run.notes, run.host, run.status];
    if (group !== null && run.group !== group) return false;
    return tags.every((tag) => run.tags.includes(tag)) && words.every((matches) => texts.some(matches));
  };
}
