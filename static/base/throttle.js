/**
 * Calls `draw` soon after it is asked for, but not again before `interval` ms have passed, nor
 * before three times as long as the last call took: a slow drawing leaves time for the reader.
 *
 * @param {() => void} draw
 * @param {object} options
 * @param {number} options.interval ms
 * @param {() => number} [options.now] ms
 * @param {(call: () => void, delay: number) => unknown} [options.later]
 * @returns {() => void} ask for a drawing
 */
export function throttled(draw, { interval, now = () => performance.now(), later = setTimeout }) {
  let earliest = -Infinity;
  let asked = false;
  const run = () => {
    asked = false;
    const start = now();
    draw();
    const took = now() - start;
    earliest = start + Math.max(interval, took * 4);
  };
  return () => {
    if (asked) return;
    asked = true;
    later(run, Math.max(0, earliest - now()));
  };
}
