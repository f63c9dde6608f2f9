import assert from "node:assert/strict";
import { test } from "node:test";

import { escapePlotly } from "../../../static/charts/plotly_text.js";

test("Plotly's pseudo-HTML, templates and MathJax are broken in names", () => {
  assert.equal(escapePlotly("<b>&%{x}$a$"), "&lt;b&gt;&amp;%\u200b{x}$\u200ba$\u200b");
});
