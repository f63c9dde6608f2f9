/**
 * The state of a row: the tallies of a module's troubles, or a parameter's state, its cause and whether
 * there is something to ask.
 *
 * @typedef {import("../model/module_tree.js").TreeNode} TreeNode
 * @typedef {import("../model/run_state.js").RunState} RunState
 * @typedef {import("../model/states.js").StateName} StateName
 */
import { element, setAttribute } from "../base/dom.js";
import { plainProse } from "../base/prose.js";
import { visible } from "../base/visible.js";
import { alertSentence } from "../model/alerts.js";
import { causeOf, rowWords } from "../model/causes.js";
import { isExplained } from "../model/explained.js";
import { frozenWords } from "../model/frozen_state.js";
import { domainShare, isPlottable, rampColor } from "../model/norm_scale.js";
import { stateGlyph } from "../model/state_glyph.js";
import { countStates, stateCode, stateOf, TROUBLES } from "../model/states.js";

/** Pixels of the state's column, with the gap that the last tally does not need, by the width of the page as in tree.css. */
const TALLY_ROOM = Object.freeze([
  { page: matchMedia("(max-width: 400px)"), room: 51 },
  { page: matchMedia("(max-width: 1180px)"), room: 109 },
]);
const WIDE_ROOM = 117;
/** Pixels of the ellipsis. */
const MORE = 13;

export class StateCell {
  constructor() {
    this.element = element("span", { class: "cell state", role: "gridcell" });
    this.words = element("span", { class: "words" });
    this.asker = element("span", { class: "asker", role: "button" }, element("span", {}, "Why"), "?");
    this.asked = false;
    this.key = "";
  }

  /** How many pixels it has for tallies. */
  get room() {
    return TALLY_ROOM.find(({ page }) => page.matches)?.room ?? WIDE_ROOM;
  }

  /**
   * Is there something to ask of the row?
   * @param {TreeNode} node
   * @param {RunState} state
   */
  ask(node, state) {
    const position = node.kind === "parameter" ? node.parameters[0] : undefined;
    this.asked = position !== undefined && isExplained(position, state);
    if (!this.asked) return;
    setAttribute(this.asker, "aria-label", `Why: ${visible(node.path)}`);
    setAttribute(this.asker, "title", "Why? (W)");
  }

  /**
   * @param {TreeNode} node
   * @param {RunState} state
   */
  drawModule(node, state) {
    const counts = countStates(Uint8Array.from(node.parameters, (position) => state.states[position]));
    const troubles = TROUBLES.filter((name) => (counts.get(name) ?? 0) > 0);
    const key = `m ${this.room} ${troubles.map((name) => `${name}${counts.get(name)}`).join(" ")}`;
    if (key === this.key) return;
    this.key = key;
    const tallies = troubles.map((name) => ({ name, count: counts.get(name) ?? 0 }));
    this.element.replaceChildren(...tallyElements(tallies, this.room));
    const words = tallies.map(({ name, count }) => `${count} ${name}`).join(", ");
    setAttribute(this.element, "title", words || "No trouble below");
  }

  /**
   * @param {number} position
   * @param {RunState} state
   * @param {Record<string, string>} tokens
   */
  drawParameter(position, state, tokens) {
    if (state.parameters[position].removed) {
      this.#drawRemoved();
      return;
    }
    this.#drawState(position, state);
    const norm = state.norms[position];
    if (stateOf(state.states[position]).name !== "present" || !isPlottable(norm) || state.domain === null) return;
    const path = this.element.querySelector("path");
    path?.setAttribute("fill", rampColor(domainShare(norm, state.domain)));
    path?.setAttribute("stroke", tokens["mark-outline"]);
    path?.setAttribute("stroke-width", "1");
  }

  /**
   * @param {number} position
   * @param {RunState} state
   */
  #drawState(position, { states, parameters, gates, verdicts, told: toldOf }) {
    const code = states[position];
    const { name, frozen } = parameters[position];
    const mark = stateOf(code);
    const how = mark.name === "frozen" && frozen !== null ? frozenWords(frozen) : [];
    const by = mark.name === "gated" ? gates.filter(({ parameters }) => parameters.includes(name)).map(({ id }) => id) : [];
    const cause = verdicts.causes.get(position) ?? null;
    const detail = cause === null ? null : (verdicts.byPosition.get(position)?.detail ?? null);
    const told = toldOf.get(position) ?? [];
    const key = JSON.stringify([mark.name, how, by, cause, detail, told, this.asked]);
    if (key === this.key) return;
    this.key = key;
    const said = rowWords(mark.name, cause ?? told.find((alert) => alert.cause !== null)?.cause ?? null);
    const words = [said.state, said.cause].filter((word) => word !== null);
    this.words.replaceChildren(...words.map((word, i) => element("span", {}, i + 1 < words.length ? `${word} · ` : word)));
    const grave = told.some(({ level }) => level !== "note");
    const calm = mark.standing !== "trouble" && mark.name !== "gated" && !grave && (said.state !== null || cause === null);
    this.words.style.color = calm ? "var(--muted)" : `var(--state-${said.state ?? "absent"})`;
    this.element.replaceChildren(stateGlyph(code), this.words, ...(this.asked ? [this.asker] : []));
    const more = new Set([
      ...told.map((alert) => plainProse(alertSentence(alert))),
      ...(how.length > 0 ? [`It is frozen ${how.join(", ")}.`] : []),
      ...(by.length > 0 ? [`It was gate ${by.join(", ")}.`] : []),
      ...(cause === null ? [] : [plainProse(detail ?? causeOf(cause).meaning)]),
    ]);
    setAttribute(this.element, "title", [mark.meaning, ...more].join(" "));
  }

  #drawRemoved() {
    if (this.key === "removed") return;
    this.key = "removed";
    this.element.replaceChildren(element("span", { class: "muted" }, "removed"));
    setAttribute(this.element, "title", "The model has this parameter no longer.");
  }
}

/**
 * As many tallies as the cell has room for, worst first; the cell's title has them all.
 * @param {{name: StateName, count: number}[]} tallies
 * @param {number} pixels
 */
function tallyElements(tallies, pixels) {
  let room = pixels;
  /** @type {HTMLElement[]} */
  const made = [];
  for (const [i, { name, count }] of tallies.entries()) {
    room -= 18 + 7.5 * String(count).length;
    const kept = i + 1 < tallies.length ? MORE : 0;
    if (room < kept) {
      made.push(element("span", { class: "muted" }, "…"));
      break;
    }
    made.push(element("span", { class: "tally" }, stateGlyph(stateCode(name)), String(count)));
  }
  return made;
}
