/** Text for Plotly, which reads a pseudo-HTML (`<b>`, `<br>`, `<a href>`) in labels and hovers. */
import { visible } from "../base/visible.js";

/**
 * Text with nothing in it that Plotly would read.
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

/**
 * A power of ten: 10<sup>−3</sup>.
 * @param {number} exponent
 */
export function powerOfTen(exponent) {
  return `10<sup>${String(exponent).replace("-", "−")}</sup>`;
}
