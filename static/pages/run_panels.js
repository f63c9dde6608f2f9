/**
 * The panels of a run's page: makes them, and draws them from what is known and what is looked at.
 *
 * @typedef {import("../commands/holds.js").Holds} Holds
 * @typedef {import("../link/live_connection.js").LiveConnection} LiveConnection
 * @typedef {import("../model/run_state.js").RunState} RunState
 * @typedef {import("./request_guard.js").RequestGuard} RequestGuard
 * @typedef {import("./view_state.js").ViewState} ViewState
 *
 * @typedef {object} PanelActions what a click or a key in a panel asks for
 * @property {(word: string) => void} toggleFilterWord
 * @property {(filter: string) => void} setFilter
 * @property {(id: number) => void} goToCommand
 * @property {(id: number) => void} goToGate
 * @property {(question: () => void) => void} ask what is to be changed, if anything can be
 * @property {(name: string) => void} explain "" closes what is explained
 * @property {(name: string, add: boolean) => void} select
 * @property {(path: string, collapsed: boolean) => void} collapse
 * @property {(position: number) => void} pick the parameter of a mark in the flow chart
 * @property {(name: string) => void} toggleLine
 * @property {(tab: string) => void} chooseTab
 * @property {(stat: string) => void} chooseStatistic
 * @property {(points: string) => void} chooseSmoothing of the metrics
 * @property {(scale: string) => void} chooseScale of the metrics
 * @property {(figure: string) => void} chooseFigure
 * @property {(colors: readonly [number, number] | null) => void} chooseColors ends of the heat map's colours
 * @property {(within: string) => void} openInHeatmap a module, or neighbours that share a row; "" for the whole model
 * @property {(range: import("../model/view_url.js").StepRange | null, mover: string | null) => void} showRange `mover` is the chart in which they are
 *   moved to, bit by bit; null where they were chosen as they are
 * @property {(column: import("../model/view_url.js").SortColumn) => void} sortBy
 * @property {() => void} sortAsModel
 * @property {(log: string) => void} chooseLog
 * @property {(event: import("../wire.js").EventRow) => void} showEvent the steps around it, and its parameter
 * @property {() => void} goToEvents
 * @property {(filter: import("../model/events.js").EventFilter) => void} filterEvents
 * @property {() => void} redraw
 * @property {() => void} drawLines
 *
 * @typedef {object} Scene what the panels are drawn from, beside the run's state
 * @property {ViewState} view
 * @property {Record<string, string>} tokens
 * @property {string | null} locked why nothing can be changed now, or null
 * @property {boolean} connected to the server
 */
import { byId, setText } from "../base/dom.js";
import { plural } from "../base/format.js";
import { Tabs } from "../base/tabs.js";
import { FlowChart } from "../charts/flow_chart.js";
import { LinePanel } from "../charts/line_panel.js";
import { CommandLog } from "../commands/command_log.js";
import { CommandSender } from "../commands/command_sender.js";
import { drifted } from "../commands/undo.js";
import { ExplainControl } from "../explain/explain_control.js";
import { EventControl } from "../events/event_control.js";
import { GateControl } from "../gates/gate_control.js";
import { HeatmapPanel } from "../heatmap/heatmap_panel.js";
import { Crosshair } from "../model/crosshair.js";
import { visibleRows } from "../model/module_tree.js";
import { stateOf } from "../model/states.js";
import { nameToExplain } from "../model/explained.js";
import { ParameterControl } from "../parameter/parameter_control.js";
import { FilterMatch } from "../tree/filter_match.js";
import { NoMatchNote } from "../tree/no_match_note.js";
import { HeldOrder } from "../tree/held_order.js";
import { OpenDepth } from "../tree/open_depth.js";
import { RunAlerts } from "../tree/run_alerts.js";
import { SortHeads } from "../tree/sort_heads.js";
import { TreeView } from "../tree/tree_view.js";
import { TroubleStrip } from "../tree/trouble_strip.js";
import { COMMAND } from "./request_guard.js";
import { RunHeader } from "./run_header.js";

/** One thing for all its attributes: each is a panel, and they are drawn together. */
export class RunPanels {
  /**
   * @param {string} api
   * @param {RunState} state
   * @param {Holds} holds
   * @param {RequestGuard} requests
   * @param {PanelActions} actions
   */
  constructor(api, state, holds, requests, actions) {
    /** Panels that ask again by themselves tell what for. @param {string} asked */
    const guard = (asked) => async (/** @type {() => Promise<void>} */ request) => void (await requests.run(request, asked));
    /** @param {string} asked */
    const insist = (asked) => (/** @type {() => Promise<void>} */ request) => requests.insist(request, asked);
    const onWhy = (/** @type {string} */ name) => actions.explain(name);
    this.state = state;
    /** The step under the pointer, for whatever shows steps. */
    this.crosshair = new Crosshair();
    this.match = new FilterMatch();
    this.header = new RunHeader();
    this.sender = new CommandSender(api, state, holds, guard(COMMAND));
    this.heatmap = new HeatmapPanel(byId("heatmap", HTMLElement), api, this.crosshair, {
      guard: guard("the heat map"),
      onRange: (range, moved) => actions.showRange(range, moved ? "heatmap" : null),
      onReach: (step) => state.reachBack(step),
      onStatistic: (stat) => actions.chooseStatistic(stat),
      onFigure: (figure) => actions.chooseFigure(figure),
      onColors: (colors) => actions.chooseColors(colors),
      onOpen: (within) => actions.openInHeatmap(within),
      onSelect: (name) => actions.select(name, false),
    });
    this.lines = new LinePanel(api, state, this.crosshair, {
      guard: guard("the lines"),
      onChange: () => actions.drawLines(),
      onToggle: (name) => actions.toggleLine(name),
      onTab: (tab) => actions.chooseTab(tab),
      onRange: (range, moved) => actions.showRange(range, moved ? "lines" : null),
      onStatistic: (stat) => actions.chooseStatistic(stat),
      onSmoothing: (points) => actions.chooseSmoothing(points),
      onScale: (scale) => actions.chooseScale(scale),
      onWhy,
    });
    this.gates = new GateControl(api, state, this.lines.data.metrics, this.sender, () => actions.chooseLog("commands"));
    this.explanations = new ExplainControl(api, state, this.sender, {
      guard: insist("the explanations"),
      onOpen: onWhy,
      onGate: (id) => actions.goToGate(id),
      onClose: () => actions.explain(""),
    });
    this.parameter = new ParameterControl(byId("numbers", HTMLElement), api, state, {
      guard: guard("the figures of the parameter"),
      onShow: (event) => actions.showEvent(event),
      onRange: (range) => actions.showRange(range, null),
      onChange: () => actions.redraw(),
    });
    this.trouble = new TroubleStrip(byId("trouble", HTMLElement), {
      onPick: (word) => actions.toggleFilterWord(word),
      onWhy,
      onDrifted: (id) => actions.goToCommand(id),
      onEvents: () => actions.goToEvents(),
    });
    this.runAlerts = new RunAlerts(byId("run-alerts", HTMLElement));
    this.tree = new TreeView(byId("tree", HTMLElement), {
      onFreeze: (node, anchor) => actions.ask(() => this.sender.ask(node, anchor)),
      onGate: (node) => actions.ask(() => this.gates.ask(node)),
      onWhy: (node) => actions.explain(nameToExplain(node, state)),
      onSelect: (name, add) => actions.select(name, add),
      onCollapse: (path, collapsed) => actions.collapse(path, collapsed),
    });
    this.openDepth = new OpenDepth();
    this.order = new HeldOrder();
    this.noMatch = new NoMatchNote(byId("no-match", HTMLElement), (filter) => actions.setFilter(filter));
    this.sortHeads = new SortHeads(byId("tree", HTMLElement), {
      onSort: (column) => actions.sortBy(column),
      onModelOrder: () => actions.sortAsModel(),
    });
    this.flow = new FlowChart(byId("flow", HTMLElement), byId("columns", HTMLElement), (position) => actions.pick(position));
    this.logTabs = new Tabs(byId("log-tabs", HTMLElement), (log) => actions.chooseLog(log));
    this.log = new CommandLog(byId("commands", HTMLElement), byId("announcement", HTMLElement), (command) =>
      this.sender.undo(command),
    );
    this.events = new EventControl(api, state, {
      guard: insist("the events"),
      guardChange: guard(COMMAND),
      onShow: (event) => actions.showEvent(event),
      onSelect: (name) => actions.pick(state.parameters.findIndex((each) => each.name === name)),
      onFilter: (filter) => actions.filterEvents(filter),
      onChange: () => actions.redraw(),
    });
  }

  /** Draw what has been read: the table of parameters is there. @param {Scene} scene */
  draw(scene) {
    const { state } = this;
    const { view, tokens, locked, connected } = scene;
    if (locked !== null) this.sender.leave();
    state.fitScales();
    state.verdicts.settle(state.states, state.sampleStep, state.loose);
    const matched = this.match.of(view.filter, state);
    this.heatmap.render(state, view, tokens);
    this.trouble.render(state, view.filter, drifted(state.commands));
    this.runAlerts.render(state.ofRun);
    this.explanations.render(view.why, locked);
    this.parameter.render(view.why, { range: view.range, tokens, connected });
    this.#countMatches(matched);
    const flat = view.sort !== "";
    this.sortHeads.show(view.sort);
    this.noMatch.render(this.match.nothing);
    this.#fitTree(view);
    this.tree.render(this.#rows(view, matched), (node) => ({
      state,
      tokens,
      locked,
      flat,
      expanded: matched !== null || this.openDepth.isOpen(node, view),
      line: node.kind === "parameter" ? this.lines.styleOf(node.path, view, tokens) : null,
    }));
    this.#drawLog(scene);
  }

  /**
   * @param {ViewState} view
   * @param {Uint8Array | null} matched
   */
  #rows(view, matched) {
    const { tree } = this.state;
    if (view.sort === "") return visibleRows(tree, (node) => this.openDepth.isOpen(node, view), matched);
    return this.order.rows(tree, view.sort, this.#figures(view.sort), matched, this.tree.isHeld());
  }

  /** What the tree is sorted by; a state is the larger the worse it is. @param {string} sort */
  #figures(sort) {
    const { norms, ratios, states } = this.state;
    if (sort.endsWith("state")) return Float32Array.from(states, (code) => -stateOf(code).severity);
    return sort.endsWith("grad_norm") ? norms : ratios;
  }

  /**
   * Open what hides a parameter in the tree.
   * @param {string} name
   * @param {ViewState} view
   */
  reveal(name, view) {
    for (const { path } of this.openDepth.closedAround(this.state.tree.nodes.get(`p:${name}`), view)) view.collapse(path, false);
  }

  /**
   * Choose how deep the tree is open at first: what is selected is in sight, unless somebody closed what is around it.
   * @param {ViewState} view
   */
  #fitTree(view) {
    const { tree } = this.state;
    if (!this.openDepth.fit(tree, this.tree.room)) return;
    const hidden = view.selected.flatMap((name) => this.openDepth.closedAround(tree.nodes.get(`p:${name}`), view));
    for (const { path } of hidden) if (!view.collapsed.has(path)) view.collapse(path, false);
  }

  /** @param {Uint8Array | null} matched */
  #countMatches(matched) {
    const { parameters, tree } = this.state;
    const count = matched?.reduce((sum, each) => sum + each, 0);
    const all = plural(tree.root.parameters.length, "parameter");
    setText(byId("matches", HTMLElement), count === undefined ? all : `${count} of ${parameters.length}`);
  }

  /** @param {Scene} scene */
  #drawLog({ view, locked }) {
    const { state } = this;
    this.logTabs.show(view.log);
    this.log.list.hidden = view.log !== "commands";
    this.gates.list.list.hidden = view.log !== "gates";
    this.log.render(state.commands, state.gates, locked);
    this.gates.render(locked);
    this.events.render(view.events, view.event, view.log === "events");
  }

  /**
   * Draw the flow chart, which takes Plotly longer than all the others together.
   * @param {ViewState} view
   * @param {Record<string, string>} tokens
   */
  drawFlow(view, tokens) {
    const { state } = this;
    state.fitScales();
    const matched = this.match.of(view.filter, state);
    const selected = new Map(
      state.parameters.flatMap(({ name }, position) => {
        const line = this.lines.styleOf(name, view, tokens);
        return line === null ? [] : [/** @type {const} */ ([position, line.color])];
      }),
    );
    this.flow.render(state, { selected, matched, tokens });
  }
}
