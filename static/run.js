/**
 * The entry of a run's page: holds the view, fetches, listens, and redraws at most 4 times a second,
 * the lines at most once, and nothing while nobody looks.
 */
import { byId, setAttribute, setText } from "./base/dom.js";
import { plural } from "./base/format.js";
import { Tabs } from "./base/tabs.js";
import { throttled } from "./base/throttle.js";
import { FlowChart } from "./charts/flow_chart.js";
import { LinePanel } from "./charts/line_panel.js";
import { readTokens } from "./charts/theme_tokens.js";
import { CommandLog } from "./commands/command_log.js";
import { CommandSender } from "./commands/command_sender.js";
import { drifted } from "./commands/undo.js";
import { ExplainControl } from "./explain/explain_control.js";
import { GateControl } from "./gates/gate_control.js";
import { getJson } from "./link/api.js";
import { LiveConnection } from "./link/live_connection.js";
import { decodeSample } from "./link/sample_frame.js";
import { visibleRows } from "./model/module_tree.js";
import { RunState, SPARK_SAMPLES } from "./model/run_state.js";
import { nameToExplain } from "./model/verdicts.js";
import { MAX_SELECTED, readView, tabOf, writeView } from "./model/view_url.js";
import { RunHeader } from "./pages/run_header.js";
import { toggleWord } from "./tree/filter.js";
import { FilterMatch } from "./tree/filter_match.js";
import { TreeView } from "./tree/tree_view.js";
import { TroubleStrip } from "./tree/trouble_strip.js";

const REDRAW_MS = 250;
const REDRAW_LINES_MS = 1000;
const TICK_MS = 250;

class RunPage {
  constructor() {
    this.api = `/api/runs/${encodeURIComponent(document.body.dataset["runId"] ?? "")}`;
    this.state = new RunState();
    this.view = readView(location.search);
    this.tokens = readTokens();
    this.redraw = throttled(() => this.#draw(), { interval: REDRAW_MS });
    this.redrawLines = throttled(() => this.#drawLines(), { interval: REDRAW_LINES_MS });
    this.header = new RunHeader();
    this.filter = byId("filter", HTMLInputElement);
    this.filter.value = this.view.filter;
    this.trouble = new TroubleStrip(byId("trouble", HTMLElement), {
      onPick: (word) => this.setFilter(toggleWord(this.view.filter, word)),
      onWhy: (name) => this.explain(name),
      onDrifted: (id) => this.goToCommand(id),
    });
    this.tree = new TreeView(byId("tree", HTMLElement), {
      onFreeze: (node, anchor) => this.ask(() => this.steering.ask(node, anchor)),
      onGate: (node) => this.ask(() => this.gating.ask(node)),
      onWhy: (node) => this.explain(nameToExplain(node, this.state)),
      onSelect: (name, add) => this.select(name, add),
      onCollapse: (path, collapsed) => this.collapse(path, collapsed),
    });
    this.steering = new CommandSender(this.api, this.state, (request) => this.guard(request, "command"));
    this.flow = new FlowChart(byId("flow", HTMLElement), byId("columns", HTMLElement), (position) =>
      this.pick(position),
    );
    this.lines = new LinePanel(this.api, this.state, {
      guard: (request) => this.guard(request),
      onChange: () => this.#drawLines(),
      onToggle: (name) => this.toggleLine(name),
      onTab: (tab) => this.chooseTab(tab),
      onWhy: (name) => this.explain(name),
    });
    const { metrics } = this.lines.data;
    this.gating = new GateControl(this.api, this.state, metrics, this.steering, () => this.chooseLog("commands"));
    this.explaining = new ExplainControl(this.api, this.state, this.steering, {
      guard: (request) => this.guard(request),
      onOpen: (name) => this.explain(name),
      onClose: () => this.explain(""),
    });
    this.logTabs = new Tabs(byId("log-tabs", HTMLElement), (tab) => this.chooseLog(tab));
    this.log = new CommandLog(
      byId("commands", HTMLElement),
      byId("announcement", HTMLElement),
      (command) => this.steering.undo(command),
    );
    this.failures = { command: byId("failure", HTMLElement), fetch: byId("fetch-failure", HTMLElement) };
    this.refusal = "";
    this.matching = new FilterMatch();
    this.live = new LiveConnection(`${this.api}/live`, {
      onMessage: (message) => this.hear(message),
      onFrame: (frame) => this.sample(frame),
      onOpen: () => this.load(),
      onLost: (reason) => {
        this.refusal = reason;
        this.redraw();
      },
    });
  }

  /** Why nothing can be changed now, or null. */
  get locked() {
    if (!this.live.connected) return "No connection to the server";
    const status = this.state.run?.status;
    if (status === "finished") return "The run has finished";
    if (status === "lost") return "The job is lost";
    return null;
  }

  /** Fetch all that the live messages only add to. */
  async load() {
    await this.guard(async () => {
      const [{ parameters }, { commands }] = await Promise.all([
        getJson(`${this.api}/parameters`),
        getJson(`${this.api}/commands`),
      ]);
      this.#setParameters(parameters);
      this.state.setCommands(commands);
      this.state.setSparklines(await getJson(`${this.api}/sparklines?points=${SPARK_SAMPLES}`));
      this.lines.data.refresh();
      this.explaining.outdate();
    });
  }

  async loadParameters() {
    await this.guard(async () => {
      const before = this.state.tree;
      this.#setParameters((await getJson(`${this.api}/parameters`)).parameters);
      if (before !== this.state.tree) await this.load();
    });
  }

  /**
   * Take the table over; what the view names and the table does not is dropped.
   * @param {import("./wire.js").ParameterRow[]} rows
   */
  #setParameters(rows) {
    this.state.setParameters(rows);
    const names = new Set(rows.map(({ name }) => name));
    if (this.view.selected.every((name) => names.has(name))) return;
    this.view.selected = this.view.selected.filter((name) => names.has(name));
    this.#keepView();
  }

  /**
   * Run a request; what it says when it fails is shown until one of its kind succeeds.
   * @param {() => Promise<void>} request
   * @param {"fetch" | "command"} [kind]
   */
  async guard(request, kind = "fetch") {
    try {
      await request();
      setAttribute(this.failures[kind], "hidden", "");
    } catch (error) {
      // Without a connection the banner says all there is to say.
      if (this.live.connected) this.fail(error instanceof Error ? error.message : String(error), kind);
    }
    this.redraw();
  }

  /**
   * @param {string} sentence
   * @param {"fetch" | "command"} kind
   */
  fail(sentence, kind) {
    setText(this.failures[kind], sentence);
    this.failures[kind].hidden = false;
  }

  /** @param {import("./wire.js").LiveMessage} message */
  hear(message) {
    if (message.type === "run") this.state.setRun(message.run);
    else if (message.type === "commands") this.state.setCommands(message.commands);
    else if (message.type === "parameters") this.loadParameters();
    else if (message.type === "gates") this.state.setGates(message.gates);
    else if (message.type === "explanations") this.explaining.outdate();
    else if (message.type === "alerts") this.state.setAlerts(message.alerts);
    else if (message.type === "metrics") this.lines.data.addMetrics(message.points, message.complete);
    this.redraw();
  }

  /** @param {ArrayBuffer} frame */
  sample(frame) {
    this.state.applySample(decodeSample(frame));
    this.redraw();
  }

  /** Ask what is to be changed, if anything can be. @param {() => void} question */
  ask(question) {
    if (this.locked === null) question();
    else this.fail(`${this.locked}.`, "command");
  }

  /** @param {string} text */
  setFilter(text) {
    if (this.filter.value !== text) this.filter.value = text;
    this.view.filter = text;
    this.changed();
  }

  /**
   * @param {string} name
   * @param {boolean} add
   */
  select(name, add) {
    const { selected } = this.view;
    if (!add) this.view.selected = selected.length === 1 && selected[0] === name ? [] : [name];
    else if (selected.includes(name)) this.view.selected = selected.filter((each) => each !== name);
    else this.view.selected = [...selected, name].slice(-MAX_SELECTED);
    this.view.tab = "";
    this.lines.data.hurry();
    this.changed();
  }

  /**
   * A mark in the flow chart was clicked: select the parameter and show its row.
   * @param {number} position
   */
  pick(position) {
    const { name, module } = this.state.parameters[position];
    for (const path of [...this.view.collapsed]) {
      if (path === "" || module === path || module.startsWith(`${path}.`)) this.view.collapsed.delete(path);
    }
    if (!this.view.selected.includes(name)) this.select(name, false);
    this.#draw();
    this.tree.goTo(`p:${name}`);
  }

  /** Explain a parameter; "" closes what is explained. @param {string} name */
  explain(name) {
    this.view.why = name;
    this.explaining.turn(name);
    this.changed();
  }

  /** @param {string} tab */
  chooseTab(tab) {
    this.view.tab = tab;
    this.lines.data.hurry();
    this.changed();
  }

  /** @param {number} id */
  goToCommand(id) {
    this.chooseLog("commands");
    this.log.goTo(id);
  }

  /** @param {string} log */
  chooseLog(log) {
    this.view.log = log === "gates" ? "gates" : "commands";
    this.changed();
  }

  /** @param {string} name */
  toggleLine(name) {
    if (tabOf(this.view) === "parameters") {
      this.select(name, true);
      return;
    }
    const shown = this.lines.data.metrics.shown(this.view.metrics);
    const next = shown.includes(name) ? shown.filter((each) => each !== name) : [...shown, name];
    this.view.metrics = next;
    this.changed();
  }

  /**
   * @param {string} path
   * @param {boolean} collapsed
   */
  collapse(path, collapsed) {
    if (collapsed) this.view.collapsed.add(path);
    else this.view.collapsed.delete(path);
    this.changed();
  }

  /** Close the modules right below the root, or open all. @param {boolean} collapsed */
  collapseAll(collapsed) {
    const modules = this.state.tree.root.children.filter(({ kind }) => kind === "module");
    this.view.collapsed = new Set(collapsed ? modules.map(({ path }) => path) : []);
    this.changed();
  }

  /** The view was changed by hand: write it to the URL and draw at once. */
  changed() {
    this.#keepView();
    this.#draw();
    this.#drawLines();
  }

  #keepView() {
    history.replaceState(null, "", location.pathname + writeView(this.view));
  }

  /** How a selected parameter is drawn over time, in every view alike. @param {string} name */
  lineOf(name) {
    const at = this.view.selected.indexOf(name);
    return at < 0 ? null : this.lines.data.styleOf(at, this.tokens);
  }

  /** What changes with time alone. */
  tick() {
    if (document.hidden) return;
    this.header.render(this.state, this.live, this.refusal);
  }

  #draw() {
    if (document.hidden) return;
    const { state, view, tokens, locked } = this;
    if (locked !== null) this.steering.leave();
    state.fitScales();
    state.verdicts.settle(state.states, state.sampleStep);
    const matched = this.matching.of(view.filter, state);
    this.tick();
    this.trouble.render(state, view.filter, drifted(state.commands));
    this.explaining.render(view.why, locked);
    const count = matched?.reduce((sum, each) => sum + each, 0);
    const [total, live] = [state.parameters.length, state.tree.root.parameters.length];
    setText(byId("matches", HTMLElement), count === undefined ? plural(live, "parameter") : `${count} of ${total}`);
    const rows = state.loaded ? visibleRows(state.tree, view.collapsed, matched) : [];
    this.tree.render(rows, (node) => ({
      state,
      tokens,
      locked,
      expanded: matched !== null || !view.collapsed.has(node.path),
      line: node.kind === "parameter" ? this.lineOf(node.path) : null,
    }));
    this.#drawLog();
    this.#drawFlow(matched);
    this.redrawLines();
  }

  #drawLog() {
    const { state, view, locked } = this;
    this.logTabs.show(view.log);
    this.log.list.hidden = view.log !== "commands";
    this.gating.list.list.hidden = view.log !== "gates";
    this.log.render(state.commands, state.gates, locked);
    this.gating.render(locked);
  }

  /** @param {Uint8Array | null} matched */
  #drawFlow(matched) {
    const { state, tokens } = this;
    const selected = new Map(
      state.parameters.flatMap(({ name }, position) => {
        const line = this.lineOf(name);
        return line === null ? [] : [/** @type {const} */ ([position, line.color])];
      }),
    );
    this.flow.render(state, { selected, matched, tokens });
  }

  #drawLines() {
    this.lines.draw(this.view, this.tokens);
  }

  /** @param {KeyboardEvent} event */
  shortcut(event) {
    const typing = event.target instanceof HTMLInputElement;
    const slash = event.key === "/" && (event.ctrlKey || !typing);
    if (slash) {
      event.preventDefault();
      this.filter.focus();
      this.filter.select();
    } else if (event.key === "Escape" && event.target === this.filter) {
      this.setFilter("");
      this.tree.grid.focus();
    } else if (event.key === "Escape" && this.view.why !== "" && !event.defaultPrevented) {
      this.explain("");
    } else if ((event.key === "ArrowDown" || event.key === "Enter") && event.target === this.filter) {
      event.preventDefault();
      this.tree.grid.focus();
    }
  }
}

const page = new RunPage();
page.filter.addEventListener("input", () => page.setFilter(page.filter.value));
byId("collapse", HTMLElement).addEventListener("click", () => page.collapseAll(true));
byId("expand", HTMLElement).addEventListener("click", () => page.collapseAll(false));
document.addEventListener("keydown", (event) => page.shortcut(event));
document.addEventListener("themechange", () => {
  page.tokens = readTokens();
  page.redraw();
});
new ResizeObserver(() => page.redraw()).observe(byId("flow", HTMLElement));
document.addEventListener("visibilitychange", () => page.redraw());
setInterval(() => page.tick(), TICK_MS);
