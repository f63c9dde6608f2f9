/** The theme's colours as scripts need them: canvases and Plotly cannot read custom properties. */
import { STATES } from "../model/states.js";

const NAMES = Object.freeze([
  "font",
  "panel",
  "sunken",
  "line",
  "line-strong",
  "text",
  "muted",
  "mark",
  "mark-outline",
  "band",
  "spark",
  ...STATES.map(({ name }) => `state-${name}`),
  ...Array.from({ length: 8 }, (_, i) => `series-${i + 1}`),
]);

/** @returns {Record<string, string>} by name, without the two dashes */
export function readTokens() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(
    NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]),
  );
}
