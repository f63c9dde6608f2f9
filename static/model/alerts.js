/** What the pages call an alert: a parameter that ought to train and does not. */

/** Behind their number: `2 expected, not training`. */
export const ALERT_LABEL = "expected, not training";

/** One sentence for the tooltip. */
export const ALERT_MEANING = "The script expects these to train, and they do not.";
