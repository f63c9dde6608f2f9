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
 * @property {boolean} flat the parameters stand alone, without their modules
 * @property {boolean} current
 * @property {{color: string, mark: string} | null} line how the parameter is drawn over time, or null
 * @property {string | null} locked why toggles cannot be used, or null
 */
import { element, setAttribute, setName, setText } from "../base/dom.js";
import { formatCompact, formatNumber, formatShape, plural } from "../base/format.js";
import { chevron, lineBadge } from "../base/glyphs.js";
import { Memo } from "../base/memo.js";
import { movementOf, RATIO_WORDS } from "../model/movement.js";
import { isPlottable } from "../model/norm_scale.js";
import { SPARK_SAMPLES } from "../model/run_state.js";
import { FreezeToggle } from "./freeze_toggle.js";
import { GateButton } from "./gate_button.js";
import { Sparkline } from "./sparkline.js";
import { StateCell } from "./state_cell.js";

/** One thing for all its attributes: each is a cell of the row, or what it was last drawn from. */
export class TreeRow {
  constructor() {
    this.name = element("span", { class: "name" });
    this.swatch = element("span", { class: "swatch" });
    this.label = element("span", { class: "cell label", role: "gridcell" });
    this.label.append(chevron(), this.name, this.swatch);
    this.toggle = new FreezeToggle();
    this.gates = new GateButton();
    this.state = new StateCell();
    this.norm = element("span", { class: "cell norm", role: "gridcell" });
    this.ratio = element("span", { class: "cell ratio", role: "gridcell" });
    this.sparkline = new Sparkline();
    this.shape = element("span", { class: "cell shape", role: "gridcell" });
    this.element = element(
      "div",
      { class: "row", role: "row", tabindex: "-1" },
      this.label,
      element("span", { class: "freeze", role: "gridcell" }, this.toggle.element),
      element("span", { class: "gates", role: "gridcell" }, this.gates.element),
      this.state.element,
      this.norm,
      this.ratio,
      element("span", { class: "cell spark", role: "gridcell" }, this.sparkline.element),
      this.shape,
    );
    this.swatchKey = "";
    this.moduleDrawn = new Memo();
    this.sparkDrawn = new Memo();
  }

  /**
   * @param {TreeNode} node
   * @param {RowFacts} facts
   */
  update(node, facts) {
    const { element: row } = this;
    const { state, line } = facts;
    const module = node.kind === "module";
    setAttribute(row, "data-path", node.path);
    setAttribute(row, "data-kind", node.kind);
    const depth = facts.flat ? 0 : node.depth;
    setAttribute(row, "aria-level", String(depth + 1));
    setAttribute(row, "aria-expanded", module ? String(facts.expanded) : null);
    setAttribute(row, "aria-selected", String(line !== null));
    row.classList.toggle("current", facts.current);
    this.label.style.setProperty("--depth", String(Math.min(depth, 12)));
    const first = node.parameters[0] ?? node.removed[0];
    row.classList.toggle("removed", node.parameters.length === 0 && node.removed.length > 0);
    const tied = module ? [] : state.parameters[first].names.slice(1);
    const tiedNote = tied.length > 0 ? ` (also ${tied.join(", ")})` : "";
    setName(this.name, facts.flat ? node.path : node.label, (node.path || "the whole model") + tiedNote);
    this.#drawSwatch(line);
    this.toggle.draw(node, facts);
    this.gates.draw(node, facts);
    this.state.ask(node, state);
    row.classList.toggle("asked", this.state.asked && !isPlottable(state.norms[first]));
    if (!module) this.#drawParameter(first, facts);
    else if (this.moduleDrawn.differs(node, state.states, state.norms, state.ratios, state.weights, this.state.room)) {
      this.#drawModule(node, state);
    }
  }

  /**
   * How far the latest step that was looked at moved these weights, taken together.
   * @param {readonly number[]} positions
   * @param {RunState} state
   */
  #drawMovement(positions, { ratios, weights }) {
    const { ratio, weight } = movementOf(positions, ratios, weights);
    this.ratio.classList.toggle("module", positions.length !== 1);
    setText(this.ratio, formatNumber(ratio));
    setAttribute(
      this.ratio,
      "title",
      Number.isNaN(weight) ? "Not looked at yet: weights are looked at in turn" : `${RATIO_WORDS}\nNorm of the weight: ${formatNumber(weight)}`,
    );
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
   * @param {RunState} state
   */
  #drawModule(node, state) {
    this.state.drawModule(node, state);
    let squares = 0;
    for (const position of node.parameters) {
      if (isPlottable(state.norms[position])) squares += state.norms[position] ** 2;
    }
    this.norm.classList.add("module");
    setText(this.norm, squares > 0 ? formatNumber(Math.sqrt(squares)) : "");
    setAttribute(this.norm, "title", "Norm of all gradients below together");
    this.#drawMovement(node.parameters, state);
    setAttribute(this.sparkline.element, "hidden", "");
    setText(this.shape, formatCompact(node.numel));
    setAttribute(this.shape, "title", `${plural(node.parameters.length, "parameter")}, ${plural(node.numel, "number")}`);
  }

  /**
   * @param {number} position
   * @param {RowFacts} facts
   */
  #drawParameter(position, { state, tokens }) {
    const { shape: size, numel, dtype, device } = state.parameters[position];
    this.state.drawParameter(position, state, tokens);
    this.norm.classList.remove("module");
    setText(this.norm, formatNumber(state.norms[position]));
    setAttribute(this.norm, "title", "L2 norm of the gradient");
    this.#drawMovement([position], state);
    setAttribute(this.sparkline.element, "hidden", null);
    const { history } = state;
    if (this.sparkDrawn.differs(history, history.version, position)) {
      this.sparkline.draw(history.column(position), SPARK_SAMPLES);
    }
    const shape = formatShape(size);
    setText(this.shape, shape);
    setAttribute(this.shape, "title", `${shape}: ${plural(numel, "number")}, ${dtype} on ${device}`);
  }
}
