/**
 * Trouble first: how many parameters are in each state that deserves a look.
 *
 * @typedef {import("../wire.js").StateName} StateName
 */
import { CALM, countStates, stateCode, stateOf, TROUBLES } from "../lib/states.js";
import { element, stateGlyph, tick } from "./dom.js";

export class Trouble {
  /**
   * @param {HTMLElement} box
   * @param {(state: string) => void} onPick
   */
  constructor(box, onPick) {
    this.box = box;
    this.key = "";
    box.addEventListener("click", (event) => {
      const chip = event.target instanceof Element && event.target.closest("[data-state-filter]");
      if (chip) onPick(chip.getAttribute("data-state-filter") ?? "");
    });
  }

  /**
   * @param {Uint8Array} states
   * @param {string} filter the text of the filter box
   */
  render(states, filter) {
    const counts = countStates(states);
    const count = (/** @type {StateName} */ name) => counts.get(name) ?? 0;
    const words = filter.split(/\s+/);
    const shown = [...TROUBLES, ...CALM].filter(
      (name) => count(name) > 0 || words.includes(`state:${name}`),
    );
    const measured = states.some((code) => stateOf(code).name !== "unmeasured");
    const key = JSON.stringify([shown.map((name) => [name, count(name)]), words, measured]);
    if (key === this.key) return;
    this.key = key;
    const focused = document.activeElement?.getAttribute("data-state-filter") ?? null;
    const quiet = !TROUBLES.some((name) => count(name) > 0);
    this.box.replaceChildren(
      ...(quiet ? [verdict(measured)] : []),
      ...shown.map((name) => chip(name, count(name), words.includes(`state:${name}`))),
    );
    if (focused !== null) {
      const again = this.box.querySelector(`[data-state-filter="${focused}"]`);
      if (again instanceof HTMLElement) again.focus({ preventScroll: true });
    }
  }
}

/** @param {boolean} measured */
function verdict(measured) {
  if (!measured) return element("span", { class: "muted" }, "No sample yet");
  return element("span", { class: "none" }, tick(), "No trouble");
}

/**
 * @param {StateName} name
 * @param {number} count
 * @param {boolean} pressed
 */
function chip(name, count, pressed) {
  const code = stateCode(name);
  const { meaning, trouble } = stateOf(code);
  const made = element(
    "button",
    {
      type: "button",
      class: trouble ? "chip" : "chip calm",
      "data-state-filter": name,
      "aria-pressed": String(pressed),
      title: `${meaning} Click to show only these.`,
    },
    stateGlyph(code),
    element("span", {}, element("strong", {}, String(count)), ` ${name}`),
  );
  made.style.color = `var(--state-${name})`;
  return made;
}
