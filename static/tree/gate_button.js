/**
 * The gate button of a row: how its gates stand, and the way to their editor.
 *
 * @typedef {import("../model/module_tree.js").TreeNode} TreeNode
 * @typedef {import("../model/run_state.js").RunState} RunState
 */
import { element, setAttribute } from "../base/dom.js";
import { gateGlyph } from "../base/glyphs.js";
import { visible } from "../base/visible.js";
import { gatesBelow } from "../model/gate_sites.js";
import { gateLine, tellingState } from "../model/gate_words.js";

export class GateButton {
  constructor() {
    this.element = element("span", { class: "gater", role: "button" });
    this.element.append(gateGlyph());
  }

  /**
   * The gates that stand here, and those inside a module that is closed up.
   * @param {TreeNode} node
   * @param {{state: RunState, expanded: boolean, locked: string | null}} facts
   */
  draw(node, { state, expanded, locked }) {
    const own = state.gatesByNode.get(node.id) ?? [];
    const shown = expanded || own.length > 0 ? own : gatesBelow(node, state.gatesByNode);
    const what = visible(node.path) || "the whole model";
    const lines = shown.map(gateLine);
    const ask = own.length > 0 ? "Edit" : "Add a gate";
    setAttribute(this.element, "data-gates", tellingState(shown));
    setAttribute(this.element, "data-below", own.length === 0 && shown.length > 0 ? "" : null);
    setAttribute(this.element, "aria-disabled", locked === null ? null : "true");
    setAttribute(this.element, "aria-label", [`Gates: ${what}`, ...lines].join(", "));
    setAttribute(this.element, "title", [...lines, locked ?? `${ask} (G)`].join("\n"));
  }
}
