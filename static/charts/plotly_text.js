import { visible } from "../base/visible.js";

/**
 * Text for Plotly, which reads a pseudo-HTML (`<b>`, `<br>`, `<a href>`) in labels and hovers.
 *
 * `%{` and `$` are broken too: the first is Plotly's template syntax, the second starts MathJax.
 * @param {string} text
 */
export function escapePlotly(text) {
  return visible(text)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll("%{", "%\u200b{")
    .replaceAll("$", "$\u200b");
}
