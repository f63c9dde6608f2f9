/**
 * What every chart is drawn with: Plotly's options, and the layout that all figures share.
 *
 * @typedef {import("./plotly.js").Figure} Figure
 * @typedef {Record<string, string>} Tokens colours by name, as the theme has them
 */

const CONFIG = Object.freeze({ displayModeBar: false, doubleClick: "reset", responsive: false, showTips: false });

/**
 * Ground, font and hover label.
 * @param {Tokens} tokens
 */
export function plotLayout(tokens) {
  return {
    autosize: true,
    showlegend: false,
    hovermode: "closest",
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: tokens["font"], size: 11, color: tokens["muted"] },
    hoverlabel: {
      bgcolor: tokens["panel"],
      bordercolor: tokens["line-strong"],
      font: { family: tokens["font"], size: 12, color: tokens["text"] },
      align: "left",
    },
  };
}

/**
 * Draw a figure at a size; Plotly changes what differs from the one before.
 * @param {HTMLElement} plot
 * @param {{data: Figure[], layout: Figure}} figure
 * @param {{width: number, height: number}} size px
 * @param {Figure} [config] options beside the common ones
 */
export async function drawPlot(plot, { data, layout }, { width, height }, config = {}) {
  await Plotly.react(plot, data, { ...layout, width, height, autosize: false }, { ...CONFIG, ...config });
}
