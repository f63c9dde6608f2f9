/** Smoothing of a line: a mean of its values in which the latest count most. */

/**
 * The exponential moving average of about so many values, free of the pull of its beginning: it starts at the
 * first value. What is null stays null, and does not count.
 * @param {readonly (number | null)[]} values
 * @param {number} span values
 */
export function smoothed(values, span) {
  const keep = 1 - 2 / (span + 1);
  let [sum, weight] = [0, 0];
  return values.map((value) => {
    if (value === null) return null;
    sum = sum * keep + value * (1 - keep);
    weight = weight * keep + (1 - keep);
    return sum / weight;
  });
}
