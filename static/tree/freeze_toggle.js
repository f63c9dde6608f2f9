/**
 * The freeze toggle of a row: on, off or mixed, and what is asked for and not yet reported.
 *
 * @typedef {import("../model/module_tree.js").TreeNode} TreeNode
 * @typedef {import("../model/run_state.js").RunState} RunState
 */
import { element, setAttribute } from "../base/dom.js";
import { snowflake } from "../base/glyphs.js";
import { visible } from "../base/visible.js";
import { frozenHow, frozenState } from "../model/frozen_state.js";

export class FreezeToggle {
  constructor() {
    this.element = element("span", { class: "toggle", role: "checkbox" });
    this.element.append(snowflake());
  }

  /**
   * @param {TreeNode} node
   * @param {{state: RunState, locked: string | null}} facts
   */
  draw(node, { state, locked }) {
    const checked = frozenState(node, state.parameters);
    const asked = node.parameters.map((position) => state.pending.get(position));
    const pending = asked.every((command) => command === asked[0]) ? asked[0] : undefined;
    const barred = locked ?? (node.parameters.length === 0 ? nothingThere(node) : null);
    const how = frozenHow(node, state.parameters);
    const what = visible(node.path) || "the whole model";
    setAttribute(this.element, "aria-checked", checked);
    setAttribute(this.element, "aria-disabled", barred === null ? null : "true");
    setAttribute(this.element, "aria-label", [`Frozen: ${what}`, ...how].join(", "));
    setAttribute(this.element, "data-pending", pending?.kind ?? null);
    const words = { true: "Frozen", false: "Not frozen", mixed: "Partly frozen" }[checked];
    const awaited = pending ? [`${pending.kind} ${pending.state}`] : [];
    const title = [[words, ...how].join(", "), ...awaited, barred ?? `${checked === "true" ? "Thaw" : "Freeze"} (Space)`];
    setAttribute(this.element, "title", title.join(" · "));
  }
}

/**
 * Why a node without parameters cannot be switched.
 * @param {TreeNode} node
 */
function nothingThere({ removed }) {
  return removed.length > 0 ? "No longer in the model" : "Nothing here to freeze";
}
