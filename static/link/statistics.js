/**
 * The statistics that are sampled: the name that series go by, the codes of the frame's columns, and the
 * words of the choice over the lines. A new one is an entry of `STATISTICS`, and a column of the sample in
 * sample_frame.js.
 *
 * @typedef {keyof typeof STATISTICS} StatisticName
 */
export const STATISTICS = Object.freeze({
  /** The L2 norm; a live frame may stand for several samples, and has the lowest and highest of them. */
  grad_norm: Object.freeze({ code: 1, low: 129, high: 130, label: "Gradient norm" }),
  /** The largest magnitude. */
  grad_max: Object.freeze({ code: 2, label: "Largest gradient" }),
  /** How far a step moved the weight, to its own norm; of a share of the parameters in each sample. */
  update_ratio: Object.freeze({ code: 3, label: "Update ratio" }),
  /** The weight's L2 norm; of the same share. */
  weight_norm: Object.freeze({ code: 4, label: "Weight norm" }),
});

/** The statistic that charts show at first. @type {StatisticName} */
export const FIRST_STATISTIC = "grad_norm";

/** @param {string} word @returns {word is StatisticName} */
export function isStatistic(word) {
  return Object.hasOwn(STATISTICS, word);
}
