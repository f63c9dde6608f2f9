/** Glyphs as SVG in a 16 × 16 box: they look alike on every machine, whatever its fonts. */
import { element } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const SNOWFLAKE = "M8 1.5V14.5M2.4 4.75L13.6 11.25M13.6 4.75L2.4 11.25M6 2.2L8 4L10 2.2M6 13.8L8 12L10 13.8";

/**
 * @param {string} path
 * @param {boolean} filled
 */
export function glyph(path, filled) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "glyph");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(SVG, "path");
  shape.setAttribute("d", path);
  shape.setAttribute("fill", filled ? "currentColor" : "none");
  shape.setAttribute("stroke", "currentColor");
  svg.append(shape);
  return svg;
}

export function snowflake() {
  return glyph(SNOWFLAKE, false);
}

/** A crossed box: a gate. */
export function gateGlyph() {
  return glyph("M3 3H13V13H3zM3 3L13 13M3 13L13 3", false);
}

export function chevron() {
  const svg = glyph("M6 4L10 8L6 12", false);
  svg.setAttribute("class", "chevron");
  return svg;
}

/** A tick in a circle: no trouble. */
export function tick() {
  return glyph("M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12zM5.2 8.2L7.2 10.2L10.8 6", false);
}

/**
 * The number of a line, in the line's colour.
 * @param {{color: string, mark: string}} line
 */
export function lineBadge({ color, mark }) {
  const badge = element("span", { class: "badge", "aria-hidden": "true" }, mark);
  badge.style.background = color;
  return badge;
}
