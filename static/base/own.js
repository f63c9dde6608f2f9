/**
 * What an object has under a name that a job or a person gave: `constructor` and `__proto__`, too, are names.
 *
 * @template T
 * @param {Readonly<Record<string, T>>} object
 * @param {string} name
 * @returns {T | undefined}
 */
export function ownOf(object, name) {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}
