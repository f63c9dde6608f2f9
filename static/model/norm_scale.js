/**
 * The one log scale of gradient norms, and the one ramp (cividis) that colours them.
 *
 * Cividis: Nuñez, Anderton and Renslow, "Optimizing colormaps with consideration for color vision
 * deficiency", PLOS ONE 13(7), 2018.
 */

/** @type {readonly (readonly [number, number, number])[]} equally spaced */
const CIVIDIS = Object.freeze([
  [0, 32, 76],
  [0, 42, 102],
  [0, 52, 110],
  [39, 63, 108],
  [60, 74, 107],
  [76, 85, 107],
  [91, 95, 109],
  [104, 106, 112],
  [117, 117, 117],
  [131, 129, 120],
  [146, 141, 120],
  [161, 154, 118],
  [176, 167, 114],
  [192, 181, 107],
  [208, 196, 96],
  [225, 212, 80],
  [243, 227, 55],
]);

/** The ramp as Plotly wants it. @type {readonly (readonly [number, string])[]} */
export const COLORSCALE = Object.freeze(
  CIVIDIS.map((rgb, i) => /** @type {const} */ ([i / (CIVIDIS.length - 1), css(rgb)])),
);

/** @param {readonly number[]} rgb */
function css(rgb) {
  return `rgb(${rgb.map(Math.round).join(",")})`;
}

/**
 * The colour at a share of the ramp, in red, green and blue.
 * @param {number} along 0…1; what is outside is the nearer end
 */
export function rampRgb(along) {
  const at = Math.min(1, Math.max(0, along)) * (CIVIDIS.length - 1);
  const below = Math.min(Math.floor(at), CIVIDIS.length - 2);
  const share = at - below;
  const [low, high] = [CIVIDIS[below], CIVIDIS[below + 1]];
  return low.map((channel, i) => channel + (high[i] - channel) * share);
}

/**
 * The colour at a share of the ramp.
 * @param {number} along 0…1; what is outside is the nearer end
 */
export function rampColor(along) {
  return css(rampRgb(along));
}

/**
 * Has the norm a place on a log scale?
 * @param {number | null | undefined} norm
 * @returns {norm is number}
 */
export function isPlottable(norm) {
  return typeof norm === "number" && norm > 0 && norm < Infinity;
}

/**
 * How far along a domain of decades a norm is: 0 at its low end, 1 at its high one, not clamped.
 * @param {number} norm
 * @param {readonly [number, number]} domain log10 of the ends
 */
export function domainShare(norm, domain) {
  return (Math.log10(norm) - domain[0]) / (domain[1] - domain[0]);
}

const FEWEST_DECADES = 2;

/**
 * Whole decades that hold the norms, less a share of outliers at either end.
 *
 * The previous domain is kept while it holds them and wastes less than two decades at an end, so
 * that colours and axes are still while values wander.
 * @param {ArrayLike<number>} norms
 * @param {readonly [number, number] | null} previous
 * @param {number} [outliers] share to leave out at either end
 * @returns {readonly [number, number]} log10 of the ends
 */
export function decadeDomain(norms, previous, outliers = 0.01) {
  const logs = Float64Array.from(Array.from(norms).filter(isPlottable), Math.log10).sort();
  if (logs.length === 0) return previous ?? [-4, 0];
  const trimmed = Math.floor(logs.length * outliers);
  let low = Math.floor(logs[trimmed]);
  let high = Math.ceil(logs[logs.length - 1 - trimmed]);
  while (high - low < FEWEST_DECADES) {
    low -= 1;
    if (high - low < FEWEST_DECADES) high += 1;
  }
  if (previous === null) return [low, high];
  const holds = previous[0] <= low && previous[1] >= high;
  const wastes = low - previous[0] >= 2 || previous[1] - high >= 2;
  return holds && !wastes ? previous : [low, high];
}

/**
 * The whole exponents of a domain, both ends included.
 * @param {readonly [number, number]} domain
 */
export function decadesBetween([low, high]) {
  const first = Math.ceil(low);
  return Array.from({ length: Math.max(0, Math.floor(high) - first + 1) }, (_, i) => first + i);
}
