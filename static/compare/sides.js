/**
 * The sides of a comparison, as the address names them: runs, or ranges of steps of runs.
 *
 * @typedef {import("../model/view_url.js").StepRange} StepRange
 *
 * @typedef {object} Side
 * @property {string} id of the run
 * @property {StepRange | null} range null for the whole run
 */
import { rooted } from "../base/root.js";

/** How many sides one page compares: as many as there are colours. */
export const MOST_RUNS = 8;

/**
 * The sides that an address names, each once: `run=ID`, or `run=ID@120-480` for some of its steps.
 * @param {string} search the query string
 * @returns {Side[]}
 */
export function namedSides(search) {
  const sides = new URLSearchParams(search).getAll("run").filter((text) => text !== "").map(sideOf);
  return [...new Map(sides.map((side) => [sideText(side), side])).values()].slice(0, MOST_RUNS);
}

/** @param {string} text @returns {Side} */
function sideOf(text) {
  const [, id, from, to] = /^(.+)@(\d{1,15})-(\d{1,15})$/.exec(text) ?? [];
  if (id === undefined) return { id: text, range: null };
  const steps = [Number(from), Number(to)];
  return { id, range: [Math.min(...steps), Math.max(...steps)] };
}

/** A side as the address has it. @param {Side} side */
export function sideText({ id, range }) {
  return range === null ? id : `${id}@${range[0]}-${range[1]}`;
}

/**
 * The address of the page that compares sides.
 * @param {readonly Side[]} sides
 */
export function compareLink(sides) {
  return rooted(`/compare?${compareQuery(sides)}`);
}

/** Sides as the query of an address. @param {readonly Side[]} sides */
export function compareQuery(sides) {
  return new URLSearchParams(sides.map((side) => ["run", sideText(side)]));
}

/**
 * The sides with another range of the same run beside one: the two halves of a whole run, or the steps that
 * follow a range, or those before it where none follow. Null where the one already has all steps that there are
 * to compare, or no more sides are compared.
 * @param {readonly Side[]} sides
 * @param {number} place of the one
 * @param {number} reached the run's latest step
 * @returns {Side[] | null}
 */
export function withAnotherRange(sides, place, reached) {
  const { id, range } = sides[place];
  const middle = Math.floor(reached / 2);
  const [first, last] = range ?? [0, middle];
  const span = last - first;
  const follows = last < reached;
  if (sides.length >= MOST_RUNS || (!follows && first === 0)) return null;
  /** @type {StepRange} */
  const other = follows ? [last + 1, range === null ? reached : Math.min(reached, last + 1 + span)] : [Math.max(0, first - 1 - span), Math.max(0, first - 1)];
  return sides.flatMap((side, at) => (at === place ? [{ id, range: /** @type {StepRange} */ ([first, last]) }, { id, range: other }] : [side]));
}

/**
 * Which of the first and the last step of a range cannot be meant, as a person typed them; −1 for neither.
 * @param {readonly string[]} typed
 * @param {number} reached the run's latest step
 */
export function wrongStep(typed, reached) {
  const [first, last] = typed.map((text) => (/^\d{1,15}$/.test(text.trim().replaceAll(",", "")) ? Number(text.replaceAll(",", "")) : NaN));
  if (!(first <= reached)) return 0;
  return last >= first ? -1 : 1;
}
