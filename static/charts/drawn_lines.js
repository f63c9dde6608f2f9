/**
 * The lines that a tab draws and the entries of its key: the selected parameters, or the metrics.
 *
 * @typedef {import("../model/view_url.js").View} View
 * @typedef {import("./closed_bands.js").Band} Band
 * @typedef {import("./line_key.js").KeyEntry} KeyEntry
 * @typedef {import("./line_traces.js").Line} Line
 * @typedef {import("./line_data.js").Shown} Shown
 * @typedef {import("./plot_layout.js").Tokens} Tokens
 * @typedef {import("./track.js").Track} Track
 *
 * @typedef {object} DrawnLines
 * @property {Line[]} lines
 * @property {KeyEntry[]} key
 * @property {Band[]} bands where gates were closed, within the lines' steps
 */
import { MAX_SELECTED, tabOf } from "../model/view_url.js";
import { smoothed } from "./smoothing.js";
import { bucketed, stepRange, trackWithin } from "./track.js";

/**
 * The colour and the number of a line.
 * @param {number} at among its kind
 * @param {Tokens} tokens
 */
export function lineStyle(at, tokens) {
  return { color: tokens[`series-${(at % MAX_SELECTED) + 1}`], mark: String(at + 1) };
}

/**
 * @param {View} view
 * @param {Pick<Shown, "series" | "metrics" | "near">} shown
 * @param {number} room points that the chart has room for
 * @param {Tokens} tokens
 * @returns {DrawnLines}
 */
export function drawnLines(view, shown, room, tokens) {
  const drawn =
    tabOf(view) === "metrics" ? metricLines(view, shown, room, tokens) : seriesLines(view, shown.series, room, tokens);
  const [first, last] = view.range ?? stepRange(drawn.lines);
  return { ...drawn, bands: shown.near.bands([first, last], (last - first) / room) };
}

/**
 * @param {View} view
 * @param {Pick<Shown, "metrics" | "near">} known
 * @param {number} room
 * @param {Tokens} tokens
 */
function metricLines(view, { metrics, near }, room, tokens) {
  const shown = metrics.shown(view.metrics);
  const all = metrics.tracks.map(([name, metric], at) => ({
    name,
    metric,
    ...lineStyle(at, tokens),
    shown: shown.includes(name),
  }));
  const drawn = all.filter((each) => each.shown).flatMap((line) => {
    const track = near.track(line.name);
    return track === undefined ? [] : [{ ...line, track }];
  });
  const { lines } = fitted(drawn, view.range, room);
  return {
    lines: view.smooth === 0 ? lines : lines.map((line) => ({ ...line, smooth: smoothed(line.values, view.smooth) })),
    key: all.map(({ metric, ...entry }) => ({ ...entry, value: metric.values[metric.values.length - 1] ?? null })),
  };
}

/**
 * @param {View} view
 * @param {ReadonlyMap<string, Track>} series
 * @param {number} room
 * @param {Tokens} tokens
 */
function seriesLines(view, series, room, tokens) {
  const key = view.selected.map((name, at) => ({ name, ...lineStyle(at, tokens), value: undefined, shown: true }));
  const drawn = key.flatMap((entry) => {
    const track = series.get(entry.name);
    return track === undefined ? [] : [{ ...entry, track }];
  });
  return { ...fitted(drawn, view.range, room), key };
}

/**
 * Lines within a range, with no more points than there is room for.
 * @param {readonly {name: string, color: string, mark: string, track: Track}[]} drawn
 * @param {View["range"]} range
 * @param {number} room
 */
function fitted(drawn, range, room) {
  const within = drawn.map(({ track, ...line }) => {
    const near = range === null ? track : trackWithin(track, range);
    const drawn = bucketed(near, room);
    const everySample = track.steps.length === track.samples && drawn.steps.length === near.steps.length;
    return { name: line.name, color: line.color, mark: line.mark, ...drawn, everySample };
  });
  return { lines: within.filter((line) => isInSight(line, range)) };
}

/**
 * @param {Pick<Track, "begins" | "steps">} line
 * @param {View["range"]} range
 */
function isInSight({ begins, steps }, range) {
  if (steps.length === 0 || range === null) return steps.length > 0;
  return begins[0] <= range[1] && steps[steps.length - 1] >= range[0];
}
