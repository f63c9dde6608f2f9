/**
 * Values over steps, and their buckets: a track grows while the run is live, and is divided into no
 * more buckets than the chart has pixels. A bucket keeps its last value, its lowest and its highest,
 * so that no spike is lost.
 *
 * @typedef {object} Track
 * @property {number[]} steps rising; the last step of a bucket
 * @property {(number | null)[]} values null where there was none
 * @property {(number | null)[]} min
 * @property {(number | null)[]} max
 * @property {string[]} nonfinite what was not finite in a bucket, such as `NaN`; "" for nothing
 * @property {number} samples that the track stands for
 */

/**
 * A track of which nothing was left out.
 * @param {{steps: number[], values: (number | null)[]}} points
 * @returns {Track}
 */
export function trackOf({ steps, values }) {
  return { steps, values, min: values, max: values, nonfinite: steps.map(() => ""), samples: steps.length };
}

/**
 * The last step of a track, or null when it has none.
 * @param {Track} track
 */
export function lastStep({ steps }) {
  return steps[steps.length - 1] ?? null;
}

/**
 * What a track has within a range, and a point to either side, to which a line runs out of sight.
 * @param {Track} track
 * @param {readonly [number, number]} range
 * @returns {Track}
 */
export function trackWithin({ steps, values, min, max, nonfinite }, [from, to]) {
  const first = steps.findIndex((step) => step >= from);
  const beyond = steps.findIndex((step) => step >= to);
  const [start, end] = [first < 0 ? steps.length - 1 : first - 1, beyond < 0 ? steps.length : beyond + 1];
  const kept = (/** @type {any[]} */ column) => column.slice(Math.max(0, start), end);
  const columns = { steps: kept(steps), values: kept(values), min: kept(min), max: kept(max), nonfinite: kept(nonfinite) };
  return { ...columns, samples: columns.steps.length };
}

/**
 * A track with a later one behind it.
 * @param {Track} track
 * @param {Track} later all of its steps are after the track's
 * @returns {Track}
 */
export function joined(track, later) {
  return {
    steps: [...track.steps, ...later.steps],
    values: [...track.values, ...later.values],
    min: [...track.min, ...later.min],
    max: [...track.max, ...later.max],
    nonfinite: [...track.nonfinite, ...later.nonfinite],
    samples: track.samples + later.samples,
  };
}

/**
 * The track in at most `most` buckets, each of as many steps.
 * @param {Track} track
 * @param {number} most
 * @returns {Track}
 */
export function bucketed(track, most) {
  const { steps, values, min, max, nonfinite, samples } = track;
  if (steps.length <= most) return track;
  const first = steps[0];
  const width = (steps[steps.length - 1] - first + 1) / most;
  /** @type {Track} */
  const made = { steps: [], values: [], min: [], max: [], nonfinite: [], samples };
  let bucket = -1;
  steps.forEach((step, i) => {
    const own = Math.floor((step - first) / width);
    if (own !== bucket) {
      bucket = own;
      made.steps.push(step);
      made.values.push(values[i]);
      made.min.push(min[i]);
      made.max.push(max[i]);
      made.nonfinite.push(nonfinite[i]);
      return;
    }
    const at = made.steps.length - 1;
    made.steps[at] = step;
    made.values[at] = values[i];
    made.min[at] = extreme(Math.min, made.min[at], min[i]);
    made.max[at] = extreme(Math.max, made.max[at], max[i]);
    made.nonfinite[at] = bothWords(made.nonfinite[at], nonfinite[i]);
  });
  return made;
}

/**
 * @param {(a: number, b: number) => number} choose
 * @param {number | null} a
 * @param {number | null} b
 */
function extreme(choose, a, b) {
  if (a === null) return b;
  return b === null ? a : choose(a, b);
}

/**
 * @param {string} words
 * @param {string} more
 */
function bothWords(words, more) {
  if (words === "" || more === words) return more;
  return more === "" || words.split(", ").includes(more) ? words : `${words}, ${more}`;
}

/**
 * What the server tells of a parameter, as a track of its own.
 * @param {Pick<import("../wire.js").SeriesRow, "steps" | "values" | "min" | "max" | "states" | "samples">} row
 * @returns {Track}
 */
export function trackOfSeries({ steps, values, min, max, states, samples }) {
  return { steps, values, min, max, nonfinite: states.map((state) => (state === "nonfinite" ? "NaN or infinity" : "")), samples };
}

/**
 * What the server tells of a metric, as a track of its own.
 * @param {import("../wire.js").MetricRow} row
 * @returns {Track}
 */
export function trackOfMetric({ steps, values, min, max, count, nan, posinf, neginf }) {
  const nonfinite = steps.map((_, i) => [nan[i] > 0 && "NaN", posinf[i] > 0 && "∞", neginf[i] > 0 && "−∞"].filter(Boolean).join(", "));
  return { steps, values, min, max, nonfinite, samples: count.reduce((sum, each) => sum + each, 0) };
}

/**
 * The first and last step of several tracks.
 * @param {readonly {steps: readonly number[]}[]} tracks
 * @returns {[number, number]}
 */
export function stepRange(tracks) {
  return [
    Math.min(...tracks.map(({ steps }) => steps[0] ?? Infinity)),
    Math.max(...tracks.map(({ steps }) => steps[steps.length - 1] ?? -Infinity)),
  ];
}

/**
 * Where a line begins. Of buckets only the last steps are told: the first is taken to be as wide as the next.
 * @param {{steps: readonly number[], everySample: boolean}} line
 */
export function beginningOf({ steps, everySample }) {
  const first = steps[0] ?? Infinity;
  if (everySample || steps.length < 2) return first;
  return Math.max(Math.min(1, first), first - (steps[1] - first) + 1);
}
