/**
 * What a command's target covers, in the probe's order: an exact name, a module (all below it), a glob.
 *
 * The page uses it only to show what is asked for; what was touched is what the job reports.
 */
import { globMatcher, isGlob } from "../base/glob.js";

/**
 * @param {string} target
 * @param {readonly {names: readonly string[], removed: boolean}[]} parameters
 * @returns {number[]} positions in `parameters`
 */
export function coveredBy(target, parameters) {
  const matchers = [
    (/** @type {string} */ name) => name === target,
    (/** @type {string} */ name) => name.startsWith(`${target}.`),
  ];
  if (isGlob(target)) matchers.push(globMatcher(target));
  for (const matches of matchers) {
    const covered = parameters.flatMap(({ names, removed }, position) =>
      !removed && names.some(matches) ? [position] : [],
    );
    if (covered.length > 0) return covered;
  }
  return [];
}
