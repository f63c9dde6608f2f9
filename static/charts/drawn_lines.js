/**
 * The lines that a tab draws and the entries of its key: the selected parameters, or the metrics.
 *
 * @typedef {import("../model/view_url.js").View} View
 * @typedef {import("./closed_bands.js").Band} Band
 * @typedef {import("./line_key.js").KeyEntry} KeyEntry
 * @typedef {import("./line_traces.js").Line} Line
 * @typedef {import("./metrics.js").Metrics} Metrics
 * @typedef {import("./plot_layout.js").Tokens} Tokens
 * @typedef {import("./track.js").Track} Track
 *
 * @typedef {object} DrawnLines
 * @property {Line[]} lines
 * @property {KeyEntry[]} key
 * @property {Band[]} bands where gates were closed, within the lines' steps
 * @property {boolean} everySample nothing was bucketed
 */
import { MAX_SELECTED, tabOf } from "../model/view_url.js";
import { bucketed, stepRange } from "./track.js";

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
 * @param {{series: ReadonlyMap<string, Track>, metrics: Metrics}} data
 * @param {number} room points that the chart has room for
 * @param {Tokens} tokens
 * @returns {DrawnLines}
 */
export function drawnLines(view, { series, metrics }, room, tokens) {
  const drawn =
    tabOf(view) === "metrics" ? metricLines(view, metrics, room, tokens) : seriesLines(view, series, room, tokens);
  const [first, last] = stepRange(drawn.lines);
  return { ...drawn, bands: metrics.bands([first, last], (last - first) / room) };
}

/**
 * @param {View} view
 * @param {Metrics} metrics
 * @param {number} room
 * @param {Tokens} tokens
 */
function metricLines(view, metrics, room, tokens) {
  const shown = metrics.shown(view.metrics);
  const all = metrics.tracks.map(([name, metric], at) => ({
    name,
    metric,
    ...lineStyle(at, tokens),
    shown: shown.includes(name),
  }));
  const drawn = all.filter((each) => each.shown);
  return {
    ...fitted(drawn.map(({ metric, ...line }) => ({ ...line, track: metric })), room),
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
  return { ...fitted(drawn, room), key };
}

/**
 * Lines with no more points than there is room for.
 * @param {readonly {name: string, color: string, mark: string, track: Track}[]} drawn
 * @param {number} room
 */
function fitted(drawn, room) {
  const lines = drawn.map(({ name, color, mark, track }) => ({ name, color, mark, ...bucketed(track, room) }));
  return { lines, everySample: lines.every(({ steps, samples }) => steps.length === samples) };
}
