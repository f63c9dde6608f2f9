/**
 * One row of the parameter tree. Rows are reused as the tree scrolls.
 *
 * @typedef {import("../model/module_tree.js").TreeNode} TreeNode
 * @typedef {import("../model/run_state.js").RunState} RunState
 *
 * @typedef {object} RowFacts
 * @property {RunState} state
 * @property {Record<string, string>} tokens
 * @property {boolean} expanded
 * @property {boolean} current
 * @property {{color: string, mark: string} | null} line how the parameter is drawn over time, or null
 * @property {string | null} locked why toggles cannot be used, or null
 */
import { element, setAttribute, setName, setText } from "../base/dom.js";
import { formatCompact, formatNumber, formatShape, plural } from "../base/format.js";
import { chevron, gateGlyph, lineBadge, snowflake } from "../base/glyphs.js";
import { Memo } from "../base/memo.js";
import { visible } from "../base/visible.js";
import { causeOf, rowWords } from "../model/causes.js";
import { frozenWords } from "../model/frozen_state.js";
import { frozenHow, frozenState } from "../model/frozen_state.js";
import { gatesBelow } from "../model/gate_sites.js";
import { gateLine, tellingState } from "../model/gate_words.js";
import { isPlottable, place, rampColor } from "../model/norm_scale.js";
import { SPARK_SAMPLES } from "../model/run_state.js";
import { stateGlyph } from "../model/state_glyph.js";
import { countStates, stateCode, stateOf, TROUBLES } from "../model/states.js";
import { drawSparkline } from "./sparkline.js";

const NARROW = matchMedia("(max-width: 1180px)"); // as in tree.css
/** Of the state's column, with the gap that the last tally does not need; and of the ellipsis. */
const TALLY_ROOM = Object.freeze({ narrow: 109, wide: 117, more: 13 });

export class TreeRow {
  constructor() {
    this.name = element("span", { class: "name" });
    this.swatch = element("span", { class: "swatch" });
    this.label = element("span", { class: "cell label", role: "gridcell" });
    this.label.append(chevron(), this.name, this.swatch);
    this.toggle = element("span", { class: "toggle", role: "checkbox" });
    this.toggle.append(snowflake());
    this.gater = element("span", { class: "gater", role: "button" });
    this.gater.append(gateGlyph());
    this.stateCell = element("span", { class: "cell state", role: "gridcell" });
    this.stateWords = element("span", { class: "words" });
    this.asker = element("span", { class: "asker", role: "button" }, element("span", {}, "Why"), "?");
    this.norm = element("span", { class: "cell norm", role: "gridcell" });
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.shape = element("span", { class: "cell shape", role: "gridcell" });
    this.element = element(
      "div",
      { class: "row", role: "row" },
      this.label,
      element("span", { class: "freeze", role: "gridcell" }, this.toggle),
      element("span", { class: "gates", role: "gridcell" }, this.gater),
      this.stateCell,
      this.norm,
      element("span", { class: "cell spark", role: "gridcell" }, this.canvas),
      this.shape,
    );
    this.asked = false;
    this.stateKey = "";
    this.swatchKey = "";
    this.spark = new Memo();
  }

  /**
   * @param {TreeNode} node
   * @param {RowFacts} facts
   */
  update(node, facts) {
    const { element: row } = this;
    const module = node.kind === "module";
    setAttribute(row, "data-path", node.path);
    setAttribute(row, "data-kind", node.kind);
    setAttribute(row, "aria-level", String(node.depth + 1));
    setAttribute(row, "aria-expanded", module ? String(facts.expanded) : null);
    setAttribute(row, "aria-selected", String(facts.line !== null));
    row.classList.toggle("current", facts.current);
    this.label.style.setProperty("--depth", String(Math.min(node.depth, 12)));
    const first = node.parameters[0] ?? node.removed[0];
    row.classList.toggle("removed", node.parameters.length === 0 && node.removed.length > 0);
    const tied = module ? [] : facts.state.parameters[first].names.slice(1);
    const tiedNote = tied.length > 0 ? ` (also ${tied.join(", ")})` : "";
    setName(this.name, node.label, (node.path || "the whole model") + tiedNote);
    this.#drawSwatch(facts.line);
    this.#drawToggle(node, facts);
    this.#drawGates(node, facts);
    this.#drawAsker(node, facts);
    if (module) this.#drawModule(node, facts);
    else this.#drawParameter(first, facts);
  }

  /** @param {RowFacts["line"]} line */
  #drawSwatch(line) {
    const key = line === null ? "" : line.color + line.mark;
    if (key === this.swatchKey) return;
    this.swatchKey = key;
    this.swatch.replaceChildren(...(line === null ? [] : [lineBadge(line)]));
  }

  /**
   * @param {TreeNode} node
   * @param {RowFacts} facts
   */
  #drawToggle(node, { state, locked }) {
    const checked = frozenState(node, state.parameters);
    const asked = node.parameters.map((position) => state.pending.get(position));
    const pending = asked.every((command) => command === asked[0]) ? asked[0] : undefined;
    const barred = locked ?? (node.parameters.length === 0 ? nothingThere(node) : null);
    const how = frozenHow(node, state.parameters);
    const what = visible(node.path) || "the whole model";
    setAttribute(this.toggle, "aria-checked", checked);
    setAttribute(this.toggle, "aria-disabled", barred === null ? null : "true");
    setAttribute(this.toggle, "aria-label", [`Frozen: ${what}`, ...how].join(", "));
    setAttribute(this.toggle, "data-pending", pending?.kind ?? null);
    const words = { true: "Frozen", false: "Not frozen", mixed: "Partly frozen" }[checked];
    const awaited = pending ? [`${pending.kind} ${pending.state}`] : [];
    const title = [[words, ...how].join(", "), ...awaited, barred ?? `${checked === "true" ? "Thaw" : "Freeze"} (Space)`];
    setAttribute(this.toggle, "title", title.join(" · "));
  }

  /**
   * The gates that stand here, and those inside a module that is closed up.
   * @param {TreeNode} node
   * @param {RowFacts} facts
   */
  #drawGates(node, { state, expanded, locked }) {
    const own = state.gatesByNode.get(node.id) ?? [];
    const shown = expanded || own.length > 0 ? own : gatesBelow(node, state.gatesByNode);
    const what = visible(node.path) || "the whole model";
    const lines = shown.map(gateLine);
    const ask = own.length > 0 ? "Edit" : "Add a gate";
    setAttribute(this.gater, "data-gates", tellingState(shown));
    setAttribute(this.gater, "data-below", own.length === 0 && shown.length > 0 ? "" : null);
    setAttribute(this.gater, "aria-disabled", locked === null ? null : "true");
    setAttribute(this.gater, "aria-label", [`Gates: ${what}`, ...lines].join(", "));
    setAttribute(this.gater, "title", [...lines, locked ?? `${ask} (G)`].join("\n"));
  }

  /**
   * @param {TreeNode} node
   * @param {RowFacts} facts
   */
  #drawAsker(node, { state }) {
    const position = node.kind === "parameter" ? node.parameters[0] : undefined;
    this.asked = position !== undefined && state.verdicts.asks(position, state.states);
    this.element.classList.toggle("asked", this.asked && position !== undefined && !isPlottable(state.norms[position]));
    if (!this.asked) return;
    setAttribute(this.asker, "aria-label", `Why: ${visible(node.path)}`);
    setAttribute(this.asker, "title", "Why? (W)");
  }

  /**
   * @param {TreeNode} node
   * @param {RowFacts} facts
   */
  #drawModule(node, { state }) {
    const counts = countStates(Uint8Array.from(node.parameters, (position) => state.states[position]));
    const troubles = TROUBLES.filter((name) => (counts.get(name) ?? 0) > 0);
    const key = `m ${NARROW.matches} ${troubles.map((name) => `${name}${counts.get(name)}`).join(" ")}`;
    if (key !== this.stateKey) {
      this.stateKey = key;
      const tallies = troubles.map((name) => ({ name, count: counts.get(name) ?? 0 }));
      this.stateCell.replaceChildren(...tallyElements(tallies));
      const words = tallies.map(({ name, count }) => `${count} ${name}`).join(", ");
      setAttribute(this.stateCell, "title", words || "No trouble below");
    }
    let squares = 0;
    for (const position of node.parameters) {
      if (isPlottable(state.norms[position])) squares += state.norms[position] ** 2;
    }
    this.norm.classList.add("module");
    setText(this.norm, squares > 0 ? formatNumber(Math.sqrt(squares)) : "");
    setAttribute(this.norm, "title", "Norm of all gradients below together");
    this.canvas.hidden = true;
    setText(this.shape, formatCompact(node.numel));
    setAttribute(this.shape, "title", `${plural(node.parameters.length, "parameter")}, ${plural(node.numel, "number")}`);
  }

  /**
   * @param {number} position
   * @param {RowFacts} facts
   */
  #drawParameter(position, { state, tokens }) {
    const parameter = state.parameters[position];
    const code = state.states[position];
    const mark = stateOf(code);
    if (parameter.removed) this.#drawRemoved();
    else this.#drawState(position, state);
    const norm = state.norms[position];
    if (!parameter.removed && mark.name === "present" && isPlottable(norm) && state.domain !== null) {
      const path = this.stateCell.querySelector("path");
      path?.setAttribute("fill", rampColor(place(norm, state.domain)));
      path?.setAttribute("stroke", tokens["mark-outline"]);
      path?.setAttribute("stroke-width", "1");
    }
    this.norm.classList.remove("module");
    setText(this.norm, formatNumber(norm));
    setAttribute(this.norm, "title", "L2 norm of the gradient");
    this.canvas.hidden = false;
    const { history } = state;
    if (this.spark.differs(history, history.version, position, tokens)) {
      drawSparkline(this.canvas, history.column(position), SPARK_SAMPLES, tokens);
    }
    const shape = formatShape(parameter.shape);
    setText(this.shape, shape);
    const { numel, dtype, device } = parameter;
    setAttribute(this.shape, "title", `${shape}: ${plural(numel, "number")}, ${dtype} on ${device}`);
  }

  /**
   * @param {number} position
   * @param {RunState} state
   */
  #drawState(position, { states, parameters, gates, verdicts, alerts }) {
    const code = states[position];
    const { name, frozen } = parameters[position];
    const mark = stateOf(code);
    const how = mark.name === "frozen" && frozen !== null ? frozenWords(frozen) : [];
    const by = mark.name === "gated" ? gates.filter(({ parameters }) => parameters.includes(name)).map(({ id }) => id) : [];
    const cause = verdicts.causes.get(position) ?? null;
    const detail = cause === null ? null : (verdicts.byPosition.get(position)?.detail ?? null);
    const expected = alerts.has(position);
    const key = [mark.name, ...how, ...by, cause, detail, expected, this.asked].join(" ");
    if (key === this.stateKey) return;
    this.stateKey = key;
    const said = rowWords(mark.name, cause);
    const words = [said.state, said.cause].filter((word) => word !== null);
    this.stateWords.replaceChildren(...words.map((word, i) => element("span", {}, i + 1 < words.length ? `${word} · ` : word)));
    const calm = !mark.trouble && mark.name !== "gated" && said.state !== null;
    this.stateWords.style.color = calm ? "var(--muted)" : `var(--state-${said.state ?? "absent"})`;
    this.stateCell.replaceChildren(stateGlyph(code), this.stateWords, ...(this.asked ? [this.asker] : []));
    const more = [
      ...(expected ? ["The script expects it to train."] : []),
      ...(how.length > 0 ? [`It is frozen ${how.join(", ")}.`] : []),
      ...(by.length > 0 ? [`It was gate ${by.join(", ")}.`] : []),
      ...(cause === null ? [] : [visible(detail ?? causeOf(cause).meaning)]),
    ];
    setAttribute(this.stateCell, "title", [mark.meaning, ...more].join(" "));
  }

  #drawRemoved() {
    if (this.stateKey === "removed") return;
    this.stateKey = "removed";
    this.stateCell.replaceChildren(element("span", { class: "muted" }, "removed"));
    setAttribute(this.stateCell, "title", "The model has this parameter no longer.");
  }
}

/**
 * Why a node without parameters cannot be switched.
 * @param {TreeNode} node
 */
function nothingThere({ removed }) {
  return removed.length > 0 ? "No longer in the model" : "Nothing here to freeze";
}

/**
 * As many tallies as the cell has room for, worst first; the cell's title has them all.
 * @param {{name: import("../wire.js").StateName, count: number}[]} tallies
 */
function tallyElements(tallies) {
  let room = NARROW.matches ? TALLY_ROOM.narrow : TALLY_ROOM.wide;
  /** @type {HTMLElement[]} */
  const made = [];
  for (const [i, { name, count }] of tallies.entries()) {
    room -= 18 + 7.5 * String(count).length;
    const kept = i + 1 < tallies.length ? TALLY_ROOM.more : 0;
    if (room < kept) {
      made.push(element("span", { class: "muted" }, "…"));
      break;
    }
    made.push(element("span", { class: "tally" }, stateGlyph(stateCode(name)), String(count)));
  }
  return made;
}
