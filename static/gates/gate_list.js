/**
 * The list of gates: what each does, how it stands, what it has done, and the buttons to change it.
 *
 * @typedef {import("../model/records.js").GateRow} GateRow
 * @typedef {import("../model/records.js").CommandRow} CommandRow
 *
 * @typedef {object} GateHandlers
 * @property {(gate: GateRow) => void} onEdit
 * @property {(gate: GateRow) => void} onPause also resumes
 * @property {(gate: GateRow) => void} onRemove
 */
import { element, goToItem, setName } from "../base/dom.js";
import { formatCount, plural } from "../base/format.js";
import { Memo } from "../base/memo.js";
import { visible } from "../base/visible.js";
import { isGating, kindOf } from "../model/command_kinds.js";
import { isPending } from "../model/command_states.js";
import { actionWords } from "../model/gate_actions.js";
import { conditionWords, gateState } from "../model/gate_words.js";
import { limitWords } from "../model/limit.js";
import { stateGlyph } from "../model/state_glyph.js";
import { stateCode } from "../model/states.js";
import { normsWords, shareWords } from "./gate_figures.js";

const EMPTY =
  "No gates. A gate stops, scales or clips a gradient while a condition is true, such as norm > 10, and is " +
  "decided anew in every backward. A click on a crossed box in the tree, or G on a row, makes one.";

export class GateList {
  /**
   * @param {HTMLElement} list
   * @param {GateHandlers} handlers
   */
  constructor(list, handlers) {
    this.list = list;
    /** @type {readonly GateRow[]} */
    this.gates = [];
    /** @type {Map<number, {key: string, element: HTMLElement}>} */
    this.items = new Map();
    this.drawn = new Memo();
    list.addEventListener("click", (event) => {
      const button = event.target instanceof Element && event.target.closest("[data-act]");
      const id = button && Number(button.closest("[data-gate]")?.getAttribute("data-gate"));
      const gate = this.gates.find((each) => each.id === id);
      if (!button || gate === undefined) return;
      const act = { edit: handlers.onEdit, pause: handlers.onPause, remove: handlers.onRemove }[
        button.getAttribute("data-act") ?? ""
      ];
      act?.(gate);
    });
  }

  /**
   * @param {readonly GateRow[]} gates
   * @param {readonly CommandRow[]} commands newest first
   * @param {string | null} locked why nothing can be changed, or null
   */
  render(gates, commands, locked) {
    this.gates = gates;
    if (!this.drawn.differs(gates, commands, locked)) return;
    const focus = focusIn(this.list);
    this.#forget(new Set(gates.map(({ id }) => id)));
    if (gates.length === 0) {
      this.list.replaceChildren(element("li", { class: "empty" }, EMPTY));
      if (focus !== null) this.list.focus();
      return;
    }
    this.list.querySelector(".empty")?.remove();
    gates.forEach((gate, i) => {
      const item = this.#item(gate, awaitedWords(gate.id, commands), locked);
      if (this.list.children[i] !== item) this.list.insertBefore(item, this.list.children[i] ?? null);
    });
    if (focus !== null) this.#focus(focus);
  }

  /** Show a gate and give it the focus. @param {number} id */
  goTo(id) {
    const item = this.items.get(id)?.element;
    if (item !== undefined) goToItem(item);
  }

  /** @param {ReadonlySet<number>} kept */
  #forget(kept) {
    for (const [id, { element: item }] of this.items) {
      if (kept.has(id)) continue;
      item.remove();
      this.items.delete(id);
    }
  }

  /**
   * The focus stays on the button that had it, or goes to the list when its gate is gone.
   * @param {{gate: string, act: string}} focus
   */
  #focus({ gate, act }) {
    const button = this.list.querySelector(`[data-gate="${gate}"] [data-act="${act}"]`);
    if (button === document.activeElement) return;
    (button instanceof HTMLElement ? button : this.list).focus({ preventScroll: true });
  }

  /**
   * @param {GateRow} gate
   * @param {string | null} awaited
   * @param {string | null} locked
   */
  #item(gate, awaited, locked) {
    const key = JSON.stringify([gate, awaited, locked]);
    const known = this.items.get(gate.id);
    if (known?.key === key) return known.element;
    const made = drawItem(gate, awaited, locked);
    known?.element.replaceWith(made);
    this.items.set(gate.id, { key, element: made });
    return made;
  }
}

/** @param {HTMLElement} list */
function focusIn(list) {
  const at = document.activeElement;
  if (!(at instanceof HTMLElement) || !list.contains(at) || at === list) return null;
  return { gate: at.closest("[data-gate]")?.getAttribute("data-gate") ?? "", act: at.dataset["act"] ?? "" };
}

/**
 * What was asked of a gate last, as long as it is not reported, or where it was refused.
 * @param {number} id
 * @param {readonly CommandRow[]} commands newest first
 */
function awaitedWords(id, commands) {
  const last = commands.find((each) => isGating(each) && each.gate === id);
  if (last === undefined || !(isPending(last) || last.state === "rejected")) return null;
  const why = last.reason === null ? "" : `: ${visible(last.reason)}`;
  return `${kindOf(last).change(last)} ${last.state}${why}`;
}

/**
 * @param {GateRow} gate
 * @param {string | null} awaited
 * @param {string | null} locked
 */
function drawItem(gate, awaited, locked) {
  const state = gateState(gate);
  const site = element("span", { class: "name" });
  setName(site, gate.site);
  const made = element(
    "li",
    { "data-gate": String(gate.id), "data-state": state, ...(awaited === null ? {} : { "data-pending": "true" }) },
    element("span", { class: "standing" }, ...(state === "closed" ? [stateGlyph(stateCode("gated"))] : [dot()]), state),
    element("span", { class: "what" }, element("span", { class: "number" }, String(gate.id)), element("strong", {}, actionWords(gate)), site, element("span", { class: "rule mono" }, conditionWords(gate.when))),
    element("span", { class: "buttons" }, ...buttons(gate, locked)),
    element("p", { class: "figures" }, ...figures(gate, awaited)),
  );
  if (gate.problem !== null) made.append(element("p", { class: "problem" }, stateGlyph(stateCode("nonfinite")), element("span", {}, visible(gate.problem))));
  return made;
}

function dot() {
  return element("span", { class: "dot", "aria-hidden": "true" });
}

/**
 * @param {GateRow} gate
 * @param {string | null} awaited
 */
function figures(gate, awaited) {
  const facts = [
    shareWords(gate),
    `norm ${normsWords(gate)}`,
    ...(gate.hold > 0 ? [`at least ${plural(gate.hold, "step")}`] : []),
    ...(gate.count > 0 ? [`${plural(gate.count, "gradient")} kept away`] : []),
    [`by ${visible(gate.by)} since step ${formatCount(gate.since_step)}`, ...limitWords(gate.limit)].join(", "),
  ];
  const made = facts.map((fact) => element("span", {}, fact));
  const all = awaited === null ? made : [element("span", { class: "awaited" }, awaited), ...made];
  return all.flatMap((each) => [each, " "]);
}

/**
 * @param {GateRow} gate
 * @param {string | null} locked
 */
function buttons(gate, locked) {
  const acts = [
    ["edit", "Edit"],
    ["pause", gate.paused ? "Resume" : "Pause"],
    ["remove", "Remove"],
  ];
  return acts.map(([act, label]) =>
    element(
      "button",
      {
        type: "button",
        class: "button quiet",
        "data-act": act,
        "aria-label": `${label} gate ${gate.id}`,
        ...(locked === null ? {} : { disabled: "", title: locked }),
      },
      label,
    ),
  );
}
