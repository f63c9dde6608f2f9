/**
 * Which runs the list shows, as its URL says: those with all of some tags, archived ones when asked.
 *
 * @typedef {import("../wire.js").RunRow} RunRow
 *
 * @typedef {object} RunFilter
 * @property {boolean} archived are archived runs shown too?
 * @property {readonly string[]} tags
 */

/**
 * @param {string} search of a URL
 * @returns {RunFilter}
 */
export function readRunFilter(search) {
  const query = new URLSearchParams(search);
  return { archived: query.has("archived"), tags: [...new Set(query.getAll("tag"))] };
}

/**
 * The address of the list under a filter.
 * @param {RunFilter} filter
 */
export function runFilterLink({ archived, tags }) {
  const query = new URLSearchParams(tags.map((tag) => ["tag", tag]));
  if (archived) query.set("archived", "1");
  return query.size > 0 ? `/?${query}` : "/";
}

/**
 * @param {Pick<RunRow, "archived" | "tags">} run
 * @param {RunFilter} filter
 */
export function isListed(run, { archived, tags }) {
  return (archived || !run.archived) && tags.every((tag) => run.tags.includes(tag));
}
