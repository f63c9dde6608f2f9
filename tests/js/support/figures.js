/** Small figures for the tests of charts. */
import { flowFigure } from "../../../static/charts/flow_figure.js";
import { lineFigure } from "../../../static/charts/line_figure.js";
import { toColumns } from "../../../static/charts/parameter_columns.js";
import { trackOf } from "../../../static/charts/track.js";
import { parameterRow } from "./rows.js";

export const HOSTILE = "<script>alert(1)</script>";

/**
 * A line of which every sample is drawn.
 * @param {number[]} steps
 * @param {(number | null)[]} values
 * @param {string} [name]
 */
export function line(steps, values, name = "a") {
  return { name, ...trackOf({ steps, values }), everySample: true, color: "#112233", mark: "1" };
}

/**
 * A figure of lines in one pane, without marks and bands.
 * @param {Partial<import("../../../static/charts/line_figure.js").LineFigure & import("../../../static/charts/line_figure.js").Pane>} changes
 */
export function chart({ lines = [], log = true, title = "", ...changes }) {
  const panes = [{ lines, log, title }];
  return lineFigure({ panes, marks: [], bands: [], bandWords: "closed", range: null, uirevision: null, tokens: {}, width: 600, height: 300, ...changes });
}

/** @param {object} [changes] */
export function flow(changes = {}) {
  const norms = Float32Array.from([0.5, NaN, 0.01, NaN]);
  const states = Uint8Array.from([1, 4, 5, 6]);
  return flowFigure({
    columns: toColumns({ states, norms, lows: norms, highs: norms }, 100),
    norms,
    states,
    lows: norms,
    highs: norms,
    parameters: [HOSTILE, "b", "c", "d"].map((name) => parameterRow(name)),
    blocks: [{ label: HOSTILE, path: HOSTILE, first: 0, last: 3 }],
    domain: [-2, 0],
    extent: [-2, 0],
    stripStates: [4, 6],
    selected: new Map([[0, "#123456"]]),
    matched: null,
    step: 12,
    width: 600,
    height: 300,
    tokens: {},
    ...changes,
  });
}

/** @param {string} name @param {ReturnType<typeof flow>} figure @returns {any} */
export function trace(name, figure) {
  return figure.data.find((each) => each["name"] === name);
}
