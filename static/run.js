/**
 * The entry of a run's page: holds the view, fetches, listens, and redraws at most 4 times a second,
 * the lines at most once, and nothing while nobody looks.
 */
import { drifted, effectMarks } from "./lib/commands.js";
import { plural } from "./lib/format.js";
import { parseFilter, toggleStateWord } from "./lib/filter.js";
import { decodeSample } from "./lib/frame.js";
import { Memory } from "./lib/memory.js";
import { RunState, SPARK_SAMPLES } from "./lib/runstate.js";
import { stateOf } from "./lib/states.js";
import { throttled } from "./lib/throttle.js";
import { visibleRows } from "./lib/tree.js";
import { MAX_SELECTED, readView, tabOf, writeView } from "./lib/url.js";
import { getJson } from "./view/api.js";
import { CommandLog } from "./view/commandlog.js";
import { byId, find, setAttribute, setText } from "./view/dom.js";
import { FlowChart } from "./view/flowchart.js";
import { Header } from "./view/header.js";
import { LineChart, lineHint } from "./view/linechart.js";
import { LinesData } from "./view/linesdata.js";
import { LiveConnection } from "./view/live.js";
import { Steering } from "./view/steering.js";
import { Tabs } from "./view/tabs.js";
import { readTokens } from "./view/tokens.js";
import { TreeView } from "./view/treeview.js";
import { Trouble } from "./view/trouble.js";

const REDRAW_MS = 250;
const REDRAW_LINES_MS = 1000;
const TICK_MS = 250;

class RunPage {
  constructor() {
    this.api = `/api/runs/${encodeURIComponent(document.body.dataset["runId"] ?? "")}`;
    this.control = document.body.dataset["control"] === "true";
    this.state = new RunState();
    this.view = readView(location.search);
    this.tokens = readTokens();
    this.redraw = throttled(() => this.#draw(), { interval: REDRAW_MS });
    this.redrawLines = throttled(() => this.#drawLines(), { interval: REDRAW_LINES_MS });
    this.drawnLines = new Memory();
    this.header = new Header();
    this.filter = byId("filter", HTMLInputElement);
    this.filter.value = this.view.filter;
    this.trouble = new Trouble(byId("trouble", HTMLElement), {
      onPick: (state) => this.setFilter(toggleStateWord(this.view.filter, state)),
      onDrifted: (id) => this.log.goTo(id),
    });
    this.tree = new TreeView(byId("tree", HTMLElement), {
      onFreeze: (node, anchor) => this.askFreeze(node, anchor),
      onSelect: (name, add) => this.select(name, add),
      onCollapse: (path, collapsed) => this.collapse(path, collapsed),
    });
    this.steering = new Steering(this.api, this.state, (request) => this.guard(request, "command"));
    this.flow = new FlowChart(byId("flow", HTMLElement), byId("columns", HTMLElement), (position) =>
      this.pick(position),
    );
    this.lines = new LineChart(
      byId("lines", HTMLElement),
      byId("key", HTMLElement),
      byId("resolution", HTMLElement),
      (name) => this.toggleLine(name),
    );
    this.tabs = new Tabs(find(document, "[role=tablist]"), (tab) => this.chooseTab(tab));
    this.linesData = new LinesData(
      this.api,
      (request) => this.guard(request),
      () => this.#drawLines(),
    );
    this.log = new CommandLog(
      byId("commands", HTMLElement),
      byId("announcement", HTMLElement),
      (command) => this.steering.undo(command),
    );
    this.failures = { command: byId("failure", HTMLElement), fetch: byId("fetch-failure", HTMLElement) };
    this.refusal = "";
    this.matchedFor = new Memory();
    /** @type {Uint8Array | null} */
    this.matched = null;
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
    if (!this.control) return "You may look but not change anything: open the page with a control token";
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
      this.linesData.refresh();
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
    else if (message.type === "metrics") this.linesData.addMetrics(message.points, message.complete);
    this.redraw();
  }

  /** @param {ArrayBuffer} frame */
  sample(frame) {
    this.state.applySample(decodeSample(frame));
    this.redraw();
  }

  /**
   * @param {import("./lib/tree.js").TreeNode} node
   * @param {HTMLElement} anchor
   */
  async askFreeze(node, anchor) {
    if (this.locked !== null) {
      this.fail(`${this.locked}.`, "command");
      return;
    }
    await this.steering.ask(node, anchor);
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
    this.linesData.hurry();
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

  /** @param {string} tab */
  chooseTab(tab) {
    this.view.tab = tab;
    this.linesData.hurry();
    this.changed();
  }

  /** @param {string} name */
  toggleLine(name) {
    if (tabOf(this.view) === "parameters") {
      this.select(name, true);
      return;
    }
    const shown = this.linesData.metrics.shown(this.view.metrics);
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

  /**
   * The filter's verdict on every parameter, or null without a filter.
   * @returns {Uint8Array | null}
   */
  matches() {
    const { parameters, states } = this.state;
    const { filter } = this.view;
    if (!this.matchedFor.differs(filter, parameters, states)) return this.matched;
    const predicate = parseFilter(filter);
    this.matched =
      predicate === null
        ? null
        : Uint8Array.from(parameters, ({ names }, i) =>
            names.some((name) => predicate(name, stateOf(states[i]).name)) ? 1 : 0,
          );
    return this.matched;
  }

  /** How a selected parameter is drawn over time, in every view alike. @param {string} name */
  lineOf(name) {
    const at = this.view.selected.indexOf(name);
    return at < 0 ? null : this.linesData.styleOf(at, this.tokens);
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
    const matched = this.matches();
    this.tick();
    this.trouble.render(state.states, view.filter, drifted(state.commands));
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
    this.log.render(state.commands, locked);
    this.#drawFlow(matched);
    this.redrawLines();
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
    if (document.hidden || !this.state.loaded) return;
    const { state, view, tokens, lines, linesData } = this;
    linesData.fetchMissing(view, lines.room, state.sampleStep);
    const tab = tabOf(view);
    const { clientWidth: width, clientHeight: height } = lines.chart;
    const chosen = [tab, view.selected, view.metrics];
    if (!this.drawnLines.differs(linesData.version, state.commands, tokens, width, height, ...chosen)) return;
    this.tabs.show(tab);
    lines.render({
      tab,
      ...linesData.lines(view, lines.room, tokens),
      marks: effectMarks(state.commands),
      hint: lineHint(tab, MAX_SELECTED),
      tokens,
    });
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
