import assert from "node:assert/strict";
import { test } from "node:test";

import { drawPlot, plotLayout } from "../../../static/charts/plot_layout.js";

test("figures stand on the page's own ground, in the theme's colours", () => {
  const layout = plotLayout({ font: "Inter", muted: "grey", panel: "white", "line-strong": "silver", text: "black" });
  assert.equal(layout.paper_bgcolor, "rgba(0,0,0,0)");
  assert.deepEqual(layout.font, { family: "Inter", size: 11, color: "grey" });
  assert.deepEqual([layout.hoverlabel.bgcolor, layout.hoverlabel.font.color], ["white", "black"]);
});

test("a plot is drawn at its size, with its own options before the common ones", async (context) => {
  const react = context.mock.fn(async () => undefined);
  Object.assign(globalThis, { Plotly: { react } });
  await drawPlot(/** @type {any} */ ("plot"), { data: [], layout: { title: "x", width: 1 } }, { width: 300, height: 200 }, { doubleClick: "autosize" });
  assert.deepEqual(/** @type {any} */ (react.mock.calls[0]).arguments, [
    "plot",
    [],
    { title: "x", width: 300, height: 200, autosize: false },
    { displayModeBar: false, doubleClick: "autosize", responsive: false, showTips: false },
  ]);
});
