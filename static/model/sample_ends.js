/**
 * How far a sample stands for what was between it and the next: over the distance to the next one, unless that is
 * more than four times as far as the samples around are apart. Then nothing was measured in between.
 */

/** How many times as long as those around a pause is a gap. */
const GAP = 4;
/** How many pauses to either side are around one. */
const AROUND = 2;

/**
 * The step behind each sample or bucket: the first of the next, or what would be that if there were no gap.
 * @param {ArrayLike<number>} first the first step of each; where a job went back they fall
 * @param {ArrayLike<number>} last the last step of each
 */
export function endsOf(first, last) {
  const pauses = Array.from({ length: Math.max(0, first.length - 1) }, (_, i) => first[i + 1] - last[i]);
  return Float64Array.from(first, (_, i) => {
    const pause = pauses[i] ?? 0;
    const around = [...pauses.slice(Math.max(0, i - AROUND), i), ...pauses.slice(i + 1, i + 1 + AROUND)].filter((each) => each > 0);
    const goesOn = pause > 0 && (around.length === 0 || pause <= GAP * Math.max(...around));
    return last[i] + (goesOn ? pause : around.length === 0 ? 1 : Math.min(...around));
  });
}
