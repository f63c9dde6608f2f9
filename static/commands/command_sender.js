/**
 * Asks, and sends what was answered: every command of the page goes through here.
 *
 * @typedef {import("../model/run_state.js").RunState} RunState
 * @typedef {import("../model/module_tree.js").TreeNode} TreeNode
 * @typedef {import("../model/records.js").CommandRow} CommandRow
 * @typedef {import("../model/records.js").CommandDraft} CommandDraft
 * @typedef {import("./holds.js").Holds} Holds
 */
import { byId } from "../base/dom.js";
import { getJson, postJson } from "../link/api.js";
import { FreezeDialog } from "./freeze_dialog.js";
import { previewQuery } from "./freeze_preview.js";
import { freezeQuestion } from "./freeze_question.js";
import { oppositeOf } from "./undo.js";

export class CommandSender {
  /**
   * @param {string} api
   * @param {RunState} state
   * @param {Holds} holds
   * @param {(request: () => Promise<void>) => Promise<void>} guard runs a request, shows its failure
   */
  constructor(api, state, holds, guard) {
    this.api = api;
    this.state = state;
    this.holds = holds;
    this.guard = guard;
    this.confirmation = new FreezeDialog(byId("confirm", HTMLElement), (draft, signal) =>
      getJson(`${api}/preview?${previewQuery(draft)}`, signal),
    );
  }

  /**
   * Ask how a node is to be frozen or thawed, and send it.
   * @param {TreeNode} node
   * @param {HTMLElement} anchor
   */
  async ask(node, anchor) {
    if (node.parameters.length === 0) return;
    const draft = await this.confirmation.ask(anchor, freezeQuestion(node, this.state.parameters));
    if (draft !== null) await this.send(draft);
  }

  /** @param {CommandRow} command */
  async undo(command) {
    const opposite = oppositeOf(command, this.state.commands, this.state.gates);
    if (opposite !== null) await this.send(opposite);
  }

  /** @param {CommandDraft} draft */
  send(draft) {
    return this.guard(() => this.post(draft));
  }

  /**
   * Send it; what the server refuses is thrown.
   * @param {CommandDraft} draft
   */
  async post(draft) {
    const command = await postJson(`${this.api}/commands`, { ...draft, by: "browser" });
    if (command.limit?.while_watched) this.holds.add(command.id);
    // The live connection may have told more of it meanwhile.
    this.state.setCommands([command, ...this.state.commands.filter(({ id }) => id === command.id)]);
  }

  /** Nothing can be changed now: what is asked goes away. */
  leave() {
    this.confirmation.close();
  }
}
