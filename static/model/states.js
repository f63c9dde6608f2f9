/**
 * The states of a parameter's gradient: their wire codes, words and marks. A new one is an entry of
 * `STATES`, and a colour `--state-NAME` in tokens.css.
 *
 * A state is never a value: each has a glyph, a word, a colour token and a Plotly symbol of its own.
 * Glyphs are paths in a 16 × 16 box, so that they look alike on every machine, whatever its fonts.
 *
 * @typedef {(typeof ENTRIES)[number]["name"]} StateName
 * @typedef {object} StateMark
 * @property {StateName} name
 * @property {string} meaning one sentence for the tooltip
 * @property {string} path SVG path data in a 16 × 16 box
 * @property {boolean} filled is the path filled, or stroked only
 * @property {string} symbol Plotly's marker symbol of the same shape
 * @property {"trouble" | "wanted" | "plain"} standing does it deserve a look before anything else, or did somebody want it
 * @property {number} severity 0 for the worst, as the server orders them too
 */

const ENTRIES = /** @type {const} */ ([
  {
    name: "unmeasured",
    meaning: "Not measured yet.",
    path: "M6.5 8h3",
    filled: false,
    symbol: "line-ew-open",
    standing: "plain",
    severity: 7,
  },
  {
    name: "present",
    meaning: "A finite gradient that is not all zeros.",
    path: "M8 3.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9z",
    filled: true,
    symbol: "circle",
    standing: "plain",
    severity: 6,
  },
  {
    name: "zero",
    meaning: "Every element of the gradient is exactly 0.",
    path: "M8 3.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9z",
    filled: false,
    symbol: "circle-open",
    standing: "trouble",
    severity: 1,
  },
  {
    name: "nonfinite",
    meaning: "The gradient holds NaN or infinity.",
    path: "M8 2L14.5 13.5H1.5z",
    filled: true,
    symbol: "triangle-up",
    standing: "trouble",
    severity: 0,
  },
  {
    name: "absent",
    meaning: "Trainable, and its gradient is None.",
    path: "M3.5 3.5L12.5 12.5M12.5 3.5L3.5 12.5",
    filled: false,
    symbol: "x-thin-open",
    standing: "trouble",
    severity: 2,
  },
  {
    name: "stale",
    meaning: "A gradient is there, but no backward wrote to it since the last step.",
    path: "M3.5 2.5H12.5L3.5 13.5H12.5z",
    filled: false,
    symbol: "hourglass-open",
    standing: "trouble",
    severity: 3,
  },
  {
    name: "frozen",
    meaning: "Its requires_grad is False.",
    path: "M8 1.5V14.5M2.4 4.75L13.6 11.25M13.6 4.75L2.4 11.25",
    filled: false,
    symbol: "asterisk-open",
    standing: "wanted",
    severity: 5,
  },
  {
    name: "gated",
    meaning: "A closed gate kept the gradient away.",
    path: "M3 3H13V13H3zM3 3L13 13M3 13L13 3",
    filled: false,
    symbol: "square-x-open",
    standing: "wanted",
    severity: 4,
  },
]);

/** @type {readonly StateMark[]} indexed by the wire code */
export const STATES = Object.freeze(ENTRIES);

/** @type {ReadonlyMap<StateName, number>} */
const CODES = new Map(STATES.map((state, code) => [state.name, code]));

/** Worst first, as the server orders them too. @type {readonly StateName[]} */
export const SEVERITY = Object.freeze([...STATES].sort((a, b) => a.severity - b.severity).map(({ name }) => name));

/** The states that are troubles, worst first. */
export const TROUBLES = Object.freeze(SEVERITY.filter((name) => standingOf(name) === "trouble"));

/** The states that are as somebody wanted them. @type {readonly StateName[]} */
export const CALM = Object.freeze(STATES.filter(({ standing }) => standing === "wanted").map(({ name }) => name));

/** @param {StateName} name */
function standingOf(name) {
  return STATES[stateCode(name)].standing;
}

/**
 * The wire code of a state.
 * @param {StateName} name
 */
export function stateCode(name) {
  const code = CODES.get(name);
  if (code === undefined) throw new Error(`unknown state: ${name}`);
  return code;
}

/**
 * The mark of a wire code; a code from a newer protocol reads as unmeasured.
 * @param {number} code
 */
export function stateOf(code) {
  return STATES[code] ?? STATES[0];
}

/**
 * How many parameters are in each state.
 * @param {Uint8Array} states wire codes
 * @returns {Map<StateName, number>}
 */
export function countStates(states) {
  const counts = new Map(STATES.map((state) => [state.name, 0]));
  for (const code of states) {
    const { name } = stateOf(code);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}
