/**
 * The statistics of a gradient that are sampled: the name that series go by, and the codes of the
 * frame's columns. A new one is an entry of `STATISTICS`, and a column of the sample in sample_frame.js.
 */
export const STATISTICS = Object.freeze({
  /** The L2 norm; a live frame may stand for several samples, and has the lowest and highest of them. */
  grad_norm: Object.freeze({ code: 1, low: 129, high: 130 }),
  /** The largest magnitude. */
  grad_max: Object.freeze({ code: 2 }),
});

/** The statistic that charts show. @type {keyof typeof STATISTICS} */
export const SHOWN_STATISTIC = "grad_norm";
