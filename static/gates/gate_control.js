/**
 * Everything about gates on a run's page: the editor, the list, and what they send.
 *
 * @typedef {import("../model/run_state.js").RunState} RunState
 * @typedef {import("./site_offer.js").SiteOffer} SiteOffer
 * @typedef {import("../charts/metrics.js").Metrics} Metrics
 * @typedef {import("../model/module_tree.js").TreeNode} TreeNode
 * @typedef {import("../model/records.js").GateRow} GateRow
 * @typedef {import("../commands/command_sender.js").CommandSender} CommandSender
 */
import { byId, find, setText } from "../base/dom.js";
import { postJson } from "../link/api.js";
import { nameOfMetric } from "./completion.js";
import { withPaused } from "./gate_draft.js";
import { GateEditor } from "./gate_editor.js";
import { gateCount } from "./gate_figures.js";
import { GateList } from "./gate_list.js";
import { labelsOf, offerOfNode, offerOfSite } from "./site_offer.js";
import { TrialChart } from "./trial_chart.js";
import { TRIAL_SAMPLES } from "./trial_words.js";

export class GateControl {
  /**
   * @param {string} api
   * @param {RunState} state
   * @param {Metrics} metrics
   * @param {CommandSender} sender
   * @param {() => void} onMade a gate was asked for: the log says how far it has come
   */
  constructor(api, state, metrics, sender, onMade) {
    this.state = state;
    this.tab = byId("tab-gates", HTMLElement);
    const dialog = byId("gate-editor", HTMLDialogElement);
    const chart = new TrialChart(find(dialog, ".trial-chart"), api, state, metrics);
    this.editor = new GateEditor(dialog, chart, {
      trial: ({ site, when, action, factor, max_norm, hold }, signal) =>
        postJson(`${api}/trial`, { site, when, action, factor, max_norm, hold, samples: TRIAL_SAMPLES }, signal),
      send: async (draft) => {
        await sender.post(draft);
        if (draft.gate === null) onMade();
      },
      names: () => metrics.names.map(nameOfMetric),
      onSwitch: (gate) => this.#open(this.offer, gate, this.here),
    });
    this.list = new GateList(byId("gates", HTMLElement), {
      onEdit: (gate) => this.edit(gate),
      onPause: (gate) => sender.send(withPaused(gate, !gate.paused)),
      onRemove: (gate) => sender.send({ kind: "ungate", gate: gate.id }),
    });
    /** @type {SiteOffer} */
    this.offer = { parameter: null, module: null, label: null };
    /** @type {readonly GateRow[]} */
    this.here = [];
  }

  /** Make a gate at a row of the tree, or change the one that is there. @param {TreeNode} node */
  ask(node) {
    const here = this.state.gatesByNode.get(node.id) ?? [];
    this.#open(offerOfNode(node, this.state.parameters), here[0] ?? null, here);
  }

  /** @param {GateRow} gate */
  edit(gate) {
    this.#open(offerOfSite(gate.site, this.state.parameters), gate, []);
  }

  /**
   * @param {SiteOffer} offer
   * @param {GateRow | null} gate
   * @param {readonly GateRow[]} here
   */
  #open(offer, gate, here) {
    this.offer = offer;
    this.here = here;
    this.editor.open({ offer, gate, gates: here, labels: labelsOf(this.state.gates) });
  }

  /** @param {string | null} locked why nothing can be changed, or null */
  render(locked) {
    const { gates, commands } = this.state;
    this.editor.lock(locked);
    this.list.render(gates, commands, locked);
    setText(this.tab, gates.length === 0 ? "Gates" : `Gates (${gateCount(gates)})`);
  }
}
