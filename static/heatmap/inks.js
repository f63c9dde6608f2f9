/**
 * The colours of cells as the bytes of an image.
 *
 * @typedef {import("./cells.js").Cells} Cells
 * @typedef {import("./cell_painting.js").Inks} Inks
 */
import { rampRgb } from "../model/norm_scale.js";
import { STATES } from "../model/states.js";
import { ZERO_SHADE } from "./cells.js";

/**
 * The colour of each shade by a domain of decades; no value and zero are clear.
 * @param {Pick<Cells, "decadeOf">} cells
 * @param {readonly [number, number]} domain
 */
export function shadeInks(cells, [low, high]) {
  return Uint32Array.from({ length: 256 }, (_, shade) => (shade <= ZERO_SHADE ? 0 : packed(rampRgb((cells.decadeOf(shade) - low) / (high - low)))));
}

/**
 * @param {Pick<Cells, "decadeOf">} cells
 * @param {readonly [number, number]} domain
 * @param {Record<string, string>} tokens the theme's colours
 * @returns {Inks}
 */
export function inksOf(cells, domain, tokens) {
  return {
    shades: shadeInks(cells, domain),
    states: Uint32Array.from(STATES, ({ name }) => packed(hexRgb(tokens[`state-${name}`] ?? ""))),
    ground: packed(hexRgb(tokens["panel"] ?? "")),
  };
}

/** @param {readonly number[]} rgb */
function packed([red, green, blue]) {
  return ((255 << 24) | (Math.round(blue) << 16) | (Math.round(green) << 8) | Math.round(red)) >>> 0;
}

/** @param {string} color #rrggbb */
function hexRgb(color) {
  const bits = Number.parseInt(color.slice(1), 16) || 0;
  return [(bits >> 16) & 255, (bits >> 8) & 255, bits & 255];
}
