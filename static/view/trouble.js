/**
 * Trouble first: freezes that do not hold, and how many parameters are in each state that deserves
 * a look.
 *
 * @typedef {import("../wire.js").StateName} StateName
 * @typedef {import("../wire.js").CommandRow} CommandRow
 */
import { CALM, countStates, stateCode, stateOf, TROUBLES } from "../lib/states.js";
import { visible } from "../lib/visible.js";
import { element, stateGlyph, tick } from "./dom.js";

export class Trouble {
  /**
   * @param {HTMLElement} box
   * @param {{onPick: (state: string) => void, onDrifted: (command: number) => void}} handlers
   */
  constructor(box, { onPick, onDrifted }) {
    this.box = box;
    this.key = "";
    box.addEventListener("click", (event) => {
      const chip = event.target instanceof Element && event.target.closest("[data-state-filter]");
      if (chip) onPick(chip.getAttribute("data-state-filter") ?? "");
      const drift = event.target instanceof Element && event.target.closest("[data-drifted]");
      if (drift) onDrifted(Number(drift.getAttribute("data-drifted")));
    });
  }

  /**
   * @param {Uint8Array} states
   * @param {string} filter the text of the filter box
   * @param {readonly CommandRow[]} drifted newest first
   */
  render(states, filter, drifted) {
    const counts = countStates(states);
    const count = (/** @type {StateName} */ name) => counts.get(name) ?? 0;
    const words = filter.split(/\s+/);
    const shown = [...TROUBLES, ...CALM].filter(
      (name) => count(name) > 0 || words.includes(`state:${name}`),
    );
    const measured = states.some((code) => stateOf(code).name !== "unmeasured");
    const key = JSON.stringify([shown.map((name) => [name, count(name)]), words, measured, drifted.map(({ id, reason }) => [id, reason])]);
    if (key === this.key) return;
    this.key = key;
    const focused = document.activeElement?.getAttribute("data-state-filter") ?? null;
    const quiet = drifted.length === 0 && !TROUBLES.some((name) => count(name) > 0);
    this.box.replaceChildren(
      ...(drifted.length > 0 ? [driftedChip(drifted)] : []),
      ...(quiet ? [verdict(measured)] : []),
      ...shown.map((name) => chip(name, count(name), words.includes(`state:${name}`))),
    );
    if (focused !== null) {
      const again = this.box.querySelector(`[data-state-filter="${focused}"]`);
      if (again instanceof HTMLElement) again.focus({ preventScroll: true });
    }
  }
}

/** @param {readonly CommandRow[]} commands newest first */
function driftedChip(commands) {
  const [{ id, reason }] = commands;
  const made = element(
    "button",
    {
      type: "button",
      class: "chip",
      "data-drifted": String(id),
      title: `Applied, and does not hold${reason === null ? "" : `: ${visible(reason)}`}. Click to see the command.`,
    },
    stateGlyph(stateCode("nonfinite")),
    element("span", {}, element("strong", {}, String(commands.length)), " drifted"),
  );
  made.style.color = "var(--state-nonfinite)";
  return made;
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
