/** How far steps move weights: the figures of several taken together, and the words for them. */

export const RATIO_WORDS =
  "How far the latest step that was looked at moved the weight: norm of the change to the norm of the weight. " +
  "Exact up to 4,096 elements; of more an estimate, within some 2 % where all elements move, less sure where few do";

/**
 * The update ratio and the norm of some weights as if they were one; NaN where nothing is known.
 * @param {readonly number[]} positions
 * @param {ArrayLike<number>} ratios
 * @param {ArrayLike<number>} weights
 */
export function movementOf(positions, ratios, weights) {
  let changes = 0;
  let norms = 0;
  let stepped = 0;
  let known = 0;
  for (const position of positions) {
    const weight = weights[position] ?? NaN;
    if (Number.isNaN(weight)) continue;
    known += 1;
    norms += weight ** 2;
    const ratio = ratios[position] ?? NaN;
    if (Number.isNaN(ratio)) continue;
    stepped += 1;
    changes += (ratio * weight) ** 2;
  }
  return {
    ratio: stepped > 0 && norms > 0 ? Math.sqrt(changes / norms) : NaN,
    weight: known > 0 ? Math.sqrt(norms) : NaN,
  };
}
