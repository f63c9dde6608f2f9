/**
 * Values over steps, and their buckets: a track grows while the run is live, and is divided into no
 * more buckets than the chart has pixels. A bucket keeps its last value, its lowest and its highest,
 * so that no spike is lost.
 *
 * @typedef {object} Track
 * @property {number[]} begins the first step of a bucket
 * @property {number[]} steps rising; the last step of a bucket
 * @property {(number | null)[]} values null where there was none
 * @property {(number | null)[]} min
 * @property {(number | null)[]} max
 * @property {string[]} nonfinite what was not finite in a bucket, such as `NaN`; "" for nothing
 * @property {string[]} states the worst state of a parameter in a bucket; "" for a metric
 * @property {number} samples that the track stands for
 */
import { SEVERITY } from "../model/states.js";

/**
 * A track of which nothing was left out.
 * @param {{steps: number[], values: (number | null)[]}} points
 * @returns {Track}
 */
export function trackOf({ steps, values }) {
  const none = steps.map(() => "");
  return { begins: steps, steps, values, min: values, max: values, nonfinite: none, states: none, samples: steps.length };
}

/**
 * The columns of a track, each changed alike.
 * @param {Omit<Track, "samples">} track
 * @param {<T>(column: readonly T[], name: keyof Omit<Track, "samples">) => T[]} change
 * @returns {Omit<Track, "samples">}
 */
export function eachColumn({ begins, steps, values, min, max, nonfinite, states }, change) {
  return {
    begins: change(begins, "begins"),
    steps: change(steps, "steps"),
    values: change(values, "values"),
    min: change(min, "min"),
    max: change(max, "max"),
    nonfinite: change(nonfinite, "nonfinite"),
    states: change(states, "states"),
  };
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
export function trackWithin(track, [from, to]) {
  const { steps } = track;
  const first = steps.findIndex((step) => step >= from);
  const beyond = steps.findIndex((step) => step >= to);
  const [start, end] = [first < 0 ? steps.length - 1 : first - 1, beyond < 0 ? steps.length : beyond + 1];
  const columns = eachColumn(track, (column) => column.slice(Math.max(0, start), end));
  return { ...columns, samples: columns.steps.length };
}

/**
 * The columns of a track without the points that have no step of a range.
 * @param {Omit<Track, "samples">} track
 * @param {readonly [number, number] | null} range null for all steps
 */
export function inSight(track, range) {
  const { begins, steps } = track;
  return range === null ? track : eachColumn(track, (column) => column.filter((_, i) => steps[i] >= range[0] && begins[i] <= range[1]));
}

/**
 * A track with a later one behind it.
 * @param {Track} track
 * @param {Track} later all of its steps are after the track's
 * @returns {Track}
 */
export function joined(track, later) {
  const columns = eachColumn(track, (column, name) => [...column, .../** @type {any[]} */ (later[name])]);
  return { ...columns, samples: track.samples + later.samples };
}

/**
 * The track in at most `most` buckets, each of as many steps.
 * @param {Track} track
 * @param {number} most
 * @returns {Track}
 */
export function bucketed(track, most) {
  const { begins, steps, values, min, max, nonfinite, states, samples } = track;
  if (steps.length <= most) return track;
  const [first] = begins;
  const width = (steps[steps.length - 1] - first + 1) / most;
  /** @type {Track} */
  const made = { begins: [], steps: [], values: [], min: [], max: [], nonfinite: [], states: [], samples };
  let bucket = -1;
  steps.forEach((step, i) => {
    const own = Math.floor((step - first) / width);
    if (own !== bucket) {
      bucket = own;
      made.begins.push(begins[i]);
      made.steps.push(step);
      made.values.push(values[i]);
      made.min.push(min[i]);
      made.max.push(max[i]);
      made.nonfinite.push(nonfinite[i]);
      made.states.push(states[i]);
      return;
    }
    const at = made.steps.length - 1;
    made.steps[at] = step;
    made.values[at] = values[i];
    made.min[at] = extreme(Math.min, made.min[at], min[i]);
    made.max[at] = extreme(Math.max, made.max[at], max[i]);
    made.nonfinite[at] = bothWords(made.nonfinite[at], nonfinite[i]);
    made.states[at] = worstState(made.states[at], states[i]);
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
 * @param {string} state
 * @param {string} other
 */
function worstState(state, other) {
  return SEVERITY.find((each) => each === state || each === other) ?? state;
}

/**
 * A track whose steps rise: of steps that a resumed job took again, what came later counts. A bucket of which only a
 * part was taken again keeps its lowest and highest value, for its other steps.
 * @param {Track} track
 * @param {boolean} several may a step have several values, all of which are kept, as metrics do? Else a second one is of a step taken again.
 * @returns {Track}
 */
function risen(track, several) {
  const { begins, steps, samples } = track;
  /** @type {Map<number, number>} the last step of what is kept, by place */
  const kept = new Map();
  let next = Infinity;
  for (let i = steps.length - 1; i >= 0; i -= 1) {
    const last = several ? next : next - 1;
    if (begins[i] > last || (begins[i] === next && steps[i] > next)) continue;
    kept.set(i, steps[i] > last ? next - 1 : steps[i]);
    next = begins[i];
  }
  const places = [...kept.keys()].reverse();
  if (places.every((i) => kept.get(i) === steps[i]) && places.length === steps.length) return track;
  const columns = eachColumn(track, (column) => places.map((i) => column[i]));
  return { ...columns, steps: places.map((i) => kept.get(i) ?? steps[i]), samples: samples - steps.length + places.length };
}

/**
 * What the server tells of a parameter, as a track of its own.
 * @param {Pick<import("../wire.js").SeriesRow, "first_steps" | "steps" | "values" | "min" | "max" | "states" | "samples">} row
 * @returns {Track}
 */
export function trackOfSeries({ first_steps, steps, values, min, max, states, samples }) {
  const nonfinite = states.map((state) => (state === "nonfinite" ? "NaN or infinity" : ""));
  return risen({ begins: first_steps, steps, values, min, max, nonfinite, states, samples }, false);
}

/**
 * What the server tells of a metric, as a track of its own.
 * @param {import("../wire.js").MetricRow} row
 * @returns {Track}
 */
export function trackOfMetric({ first_steps, steps, values, min, max, count, nan, posinf, neginf }) {
  const nonfinite = steps.map((_, i) => [nan[i] > 0 && "NaN", posinf[i] > 0 && "∞", neginf[i] > 0 && "−∞"].filter(Boolean).join(", "));
  const samples = count.reduce((sum, each) => sum + each, 0);
  return risen({ begins: first_steps, steps, values, min, max, nonfinite, states: steps.map(() => ""), samples }, true);
}

/**
 * The first and last step of several tracks, all of their first bucket among them.
 * @param {readonly {begins: readonly number[], steps: readonly number[]}[]} tracks
 * @returns {[number, number]}
 */
export function stepRange(tracks) {
  return [
    Math.min(...tracks.map(({ begins }) => begins[0] ?? Infinity)),
    Math.max(...tracks.map(({ steps }) => steps[steps.length - 1] ?? -Infinity)),
  ];
}
