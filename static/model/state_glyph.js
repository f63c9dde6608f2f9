import { glyph } from "../base/glyphs.js";
import { stateOf } from "./states.js";

/**
 * The glyph of a state, in the state's colour.
 * @param {number} code
 */
export function stateGlyph(code) {
  const state = stateOf(code);
  const svg = glyph(state.path, state.filled);
  svg.style.color = `var(--state-${state.name})`;
  svg.dataset["state"] = state.name;
  return svg;
}
