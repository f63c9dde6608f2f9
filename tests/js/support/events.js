/**
 * A row of an event as the server sends it: a spike at the step of its id.
 * @param {number} id
 * @param {Partial<import("../../../static/wire.js").EventRow>} [changes]
 * @returns {import("../../../static/wire.js").EventRow}
 */
export function event(id, changes = {}) {
  const place = { time: 1, step: id, last_step: id, parameters: [], count: 0 };
  return { id, kind: "spike", level: "alert", ...place, sentence: "", figures: {}, dismissed: null, ...changes };
}
