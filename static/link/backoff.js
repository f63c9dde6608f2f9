const FIRST_MS = 250;
const MOST_MS = 5000;

/**
 * How long to wait before the n-th try to reconnect: doubling, bounded, spread by a fifth.
 * @param {number} attempt 0 for the first
 * @param {number} [random] 0…1
 */
export function backoff(attempt, random = Math.random()) {
  const delay = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(attempt, 10));
  return Math.round(delay * (0.9 + 0.2 * random));
}
