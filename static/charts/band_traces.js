/**
 * Bands on a chart where a gate was closed: a tint over the whole height, and at the foot a bar that
 * says which gate it was, one lane a gate.
 *
 * @typedef {import("./plotly.js").Figure} Figure
 * @typedef {import("./plot_layout.js").Tokens} Tokens
 * @typedef {import("./closed_bands.js").Band} Band
 */
import { formatCount } from "../base/format.js";

const LANES = 6;
const LANE_HEIGHT = 0.035;
const TINT = "24";

/**
 * @param {readonly Band[]} bands
 * @param {string} words `closed`
 * @param {Tokens} tokens
 * @returns {Figure[]}
 */
export function gateTraces(bands, words, tokens) {
  if (bands.length === 0) return [];
  const gates = [...new Set(bands.map(({ gate }) => gate))];
  return [
    tintTrace(bands, tokens),
    ...gates.map((gate, i) => barTrace(bands.filter((band) => band.gate === gate), i % LANES, words, tokens)),
  ];
}

/**
 * @param {readonly Band[]} bands
 * @param {Tokens} tokens
 */
function tintTrace(bands, tokens) {
  return {
    type: "scatter",
    mode: "lines",
    yaxis: "y2",
    x: bands.flatMap(({ from, to }) => [from, from, to, to, null]),
    y: bands.flatMap(() => [0, 1, 1, 0, null]),
    fill: "toself",
    fillcolor: `${tokens["state-gated"]}${TINT}`,
    line: { width: 0 },
    hoverinfo: "skip",
    showlegend: false,
  };
}

/**
 * @param {readonly Band[]} bands of one gate
 * @param {number} lane
 * @param {string} words
 * @param {Tokens} tokens
 */
function barTrace(bands, lane, words, tokens) {
  const height = LANE_HEIGHT * (lane + 0.5);
  const texts = bands.map((band) => bandText(band, words));
  return {
    type: "scatter",
    mode: "lines",
    yaxis: "y2",
    name: "gate",
    x: bands.flatMap(({ from, to }) => [from, (from + to) / 2, to, null]),
    y: bands.flatMap(() => [height, height, height, null]),
    text: texts.flatMap((text) => [text, text, text, ""]),
    hovertemplate: "%{text}<extra></extra>",
    line: { color: tokens["state-gated"], width: 3 },
    connectgaps: false,
    showlegend: false,
  };
}

/**
 * @param {Band} band
 * @param {string} words
 */
function bandText({ gate, from, to }, words) {
  const [first, last] = [Math.ceil(from), Math.floor(to)];
  const steps = first >= last ? `step ${formatCount(Math.round((from + to) / 2))}` : `steps ${formatCount(first)}–${formatCount(last)}`;
  return `${gate > 0 ? `gate ${gate} ` : ""}${words}<br>${steps}`;
}
