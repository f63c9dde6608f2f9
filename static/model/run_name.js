/**
 * The name that is one run's alone: many share a name, and from the second on a number tells them apart.
 *
 * @param {Pick<import("../wire.js").RunRow, "name" | "number">} run
 */
export function runName({ name, number }) {
  return number === 1 ? name : `${name}#${number}`;
}
