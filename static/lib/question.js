/**
 * What is asked before a freeze or thaw: what it will touch, said before it is sent.
 *
 * @typedef {import("./tree.js").TreeNode} TreeNode
 * @typedef {import("../wire.js").ParameterRow} ParameterRow
 */
import { plural } from "./format.js";
import { visible } from "./visible.js";

/**
 * @param {TreeNode} node
 * @param {"true" | "false" | "mixed"} frozen
 * @param {readonly ParameterRow[]} parameters
 * @returns {import("../view/confirm.js").Question}
 */
export function freezeQuestion(node, frozen, parameters) {
  const rows = node.parameters.map((position) => parameters[position]);
  const open = rows.filter((row) => row.frozen === null);
  const what = node.kind === "parameter" ? node.path : node.path === "" ? "the whole model" : `${node.path}.*`;
  const size = `${plural(rows.length, "parameter")}, ${plural(node.numel, "number")}`;
  const kind = frozen === "true" ? "thaw" : "freeze";
  const verb = kind === "thaw" ? "Thaw" : "Freeze";
  /** @type {{label: string, answer: string}[]} */
  const actions = [{ label: verb, answer: kind }];
  if (frozen === "mixed") actions.push({ label: "Thaw", answer: "thaw" });
  return { question: `${verb} ${visible(what)}: ${size}`, consequence: consequence(kind, rows, open), actions };
}

/**
 * @param {string} kind
 * @param {ParameterRow[]} rows
 * @param {ParameterRow[]} open
 */
function consequence(kind, rows, open) {
  if (kind === "thaw") {
    const idle = rows.filter((row) => !row.in_optimizer).length;
    const note = idle > 0 ? ` ${plural(idle, "parameter")} will get gradients, but no optimizer applies them.` : "";
    return `Training goes on from the next step; the optimizer’s state was kept.${note}`;
  }
  const already = rows.length - open.length;
  const note = already > 0 ? ` ${plural(already, "parameter")} of these ${already === 1 ? "is" : "are"} frozen already.` : "";
  return `Not changed any more from the next step boundary; the optimizer’s state is kept.${note}`;
}
