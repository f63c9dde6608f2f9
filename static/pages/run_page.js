/**
 * A run's page: fetches, listens, and redraws at most 4 times a second, the lines at most once, and
 * nothing while nobody looks or something is pressed. A hand is answered at once, but for the charts that Plotly draws: the
 * lines where a letter is typed, and the flow always, wait for their turn.
 *
 * @typedef {import("../model/records.js").ParameterRow} ParameterRow
 * @typedef {import("./run_panels.js").PanelActions} PanelActions
 */
import { byId } from "../base/dom.js";
import { barredHere } from "../base/barred.js";
import { keptIn } from "../base/kept.js";
import { Press } from "../base/press.js";
import { throttled } from "../base/throttle.js";
import { readTokens } from "../charts/theme_tokens.js";
import { Holds } from "../commands/holds.js";
import { getColumns, getJson } from "../link/api.js";
import { LiveConnection } from "../link/live_connection.js";
import { decodeSample } from "../link/sample_frame.js";
import { openAlerts } from "../model/events.js";
import { rowsOf } from "../model/packed_rows.js";
import { RunState, SPARK_SAMPLES } from "../model/run_state.js";
import { sameRange, wayBetween } from "../model/step_range.js";
import { tabOf, writeView } from "../model/view_url.js";
import { toggleWord } from "../tree/filter.js";
import { Address } from "./address.js";
import { Attention, watchOf } from "./attention.js";
import { receive } from "./live_messages.js";
import { COMMAND, RequestGuard } from "./request_guard.js";
import { RunPanels } from "./run_panels.js";
import { Waiting } from "./waiting.js";
import { ViewState } from "./view_state.js";

const REDRAW_MS = 250;
const REDRAW_LINES_MS = 1000;
const REDRAW_FLOW_MS = 250;

/**
 * One thing for all its methods: most are what a person can do on the page, a line or two each.
 * @implements {PanelActions}
 */
export class RunPage {
  constructor() {
    this.api = `/api/runs/${encodeURIComponent(document.body.dataset["runId"] ?? "")}`;
    this.state = new RunState();
    this.view = new ViewState(location.search);
    this.address = new Address();
    this.tokens = readTokens();
    this.filter = byId("filter", HTMLInputElement);
    this.filter.value = this.view.filter;
    /** The server's own sentence on why it closed the connection, or "". */
    this.refusal = "";
    this.press = new Press(() => this.redraw());
    this.redraw = this.#byItself(() => this.draw(), REDRAW_MS);
    this.redrawLines = this.#byItself(() => this.drawLines(), REDRAW_LINES_MS);
    this.redrawFlow = this.#byItself(() => this.drawFlow(), REDRAW_FLOW_MS);
    this.live = new LiveConnection(`${this.api}/live`);
    const places = { command: byId("failure", HTMLElement), fetch: byId("fetch-failure", HTMLElement) };
    this.requests = new RequestGuard(places, this.live, this.redraw);
    this.holds = new Holds(this.api, keptIn(() => sessionStorage));
    this.panels = new RunPanels(this.api, this.state, this.holds, this.requests, this);
    this.waiting = new Waiting(document);
    this.attention = new Attention(() => this.watch());
    this.holds.onChange = () => this.watch();
  }

  /**
   * A drawing that no hand asks for, and that waits while something is pressed.
   * @param {() => void} draw
   * @param {number} interval ms
   */
  #byItself(draw, interval) {
    const drawUnpressed = () => {
      if (!this.press.held) draw();
    };
    return throttled(drawUnpressed, { interval });
  }

  /** Tell the server what can be seen now. */
  watch() {
    this.live.watch(watchOf(this.attention.seen, document.hidden, REDRAW_MS / 1000, this.state.focus.asked, this.holds.commands));
  }

  /** Open the live connection, and again whenever it is lost. */
  listen() {
    const { state, panels } = this;
    const told = {
      state,
      lines: panels.lines.data,
      explanations: panels.explanations,
      events: panels.events,
      loadParameters: () => void this.loadParameters(),
    };
    this.live.open({
      onMessage: (message) => {
        receive(message, told);
        this.panels.header.entitle(state);
        this.redraw();
      },
      onFrame: (frame) => {
        state.applySample(decodeSample(frame));
        this.redraw();
      },
      onOpen: () => this.load(),
      onLost: (reason) => {
        this.refusal = reason;
        this.redraw();
      },
    });
  }

  /** Why nothing can be changed now, or null. */
  get locked() {
    const barred = barredHere();
    if (barred !== null) return barred;
    if (!this.live.connected) return "No connection to the server";
    const status = this.state.run?.status;
    if (status === "finished" || status === "failed") return `The run has ${status}`;
    if (status === "lost") return "The job is lost";
    return null;
  }

  /** Fetch all that the live messages only add to. */
  async load() {
    await this.requests.insist(async () => {
      const [parameters, sparklines, { commands }] = await Promise.all([
        getColumns(`${this.api}/parameters`),
        this.#sparklines(),
        getJson(`${this.api}/commands`),
      ]);
      this.#setParameters(rowsOf(parameters));
      this.state.setSparklines(sparklines);
      this.state.setCommands(commands);
      this.panels.lines.data.refresh();
      this.panels.heatmap.data.refresh();
      this.panels.parameter.refresh();
      this.panels.explanations.outdate();
    }, "the parameters and commands");
  }

  #sparklines() {
    return getColumns(`${this.api}/sparklines?points=${SPARK_SAMPLES}`);
  }

  /** The page is looked at, or is not any more: what it was not told meanwhile is fetched. */
  look() {
    if (!document.hidden && this.state.loaded) void this.loadSparklines();
    this.redraw();
  }

  async loadSparklines() {
    await this.requests.insist(async () => this.state.setSparklines(await this.#sparklines()), "recent samples");
  }

  async loadParameters() {
    await this.requests.insist(async () => {
      const before = this.state.tree;
      this.#setParameters(rowsOf(await getColumns(`${this.api}/parameters`)));
      if (before !== this.state.tree) await this.load();
    }, "the parameters");
  }

  /**
   * Take the table over; what the view names and the table does not is dropped.
   * @param {ParameterRow[]} rows
   */
  #setParameters(rows) {
    this.state.setParameters(rows);
    if (this.view.keepKnown(rows.map(({ name }) => name))) this.#keepView();
  }

  /** @param {() => void} question */
  ask(question) {
    if (this.locked === null) question();
    else this.requests.fail(`${this.locked}.`, COMMAND);
  }

  /** @param {string} text */
  setFilter(text) {
    if (this.filter.value !== text) this.filter.value = text;
    this.view.filter = text;
    this.address.type(this.#address);
    this.draw();
  }

  /**
   * Show these steps, null for the whole run.
   * @param {import("../model/view_url.js").StepRange | null} range
   * @param {string | null} mover the chart in which they are moved to, bit by bit; null where they were chosen as they are
   */
  showRange(range, mover) {
    const { range: before } = this.view;
    if (sameRange(before, range)) return;
    this.view.range = range;
    this.panels.lines.data.hurry();
    this.address.move(this.#address, mover === null ? null : `${mover} ${wayBetween(before, range)}`);
    this.#show();
  }

  /** Back or Forward was pressed: show what the address says. */
  goBack() {
    const { why } = this.view;
    this.address.turn();
    this.view = new ViewState(location.search);
    this.filter.value = this.view.filter;
    if (this.view.why !== why) this.panels.explanations.turn(this.view.why);
    if (this.state.loaded) this.view.keepKnown(this.state.parameters.map(({ name }) => name));
    this.panels.lines.data.hurry();
    this.#show();
  }

  /** @param {string} word */
  toggleFilterWord(word) {
    this.setFilter(toggleWord(this.view.filter, word));
  }

  /**
   * @param {string} name
   * @param {boolean} add
   */
  select(name, add) {
    this.view.select(name, add);
    if (this.view.selected.includes(name)) this.panels.reveal(name, this.view);
    this.panels.lines.data.hurry();
    this.#changed();
  }

  /**
   * A mark in the flow chart was clicked: select the parameter and show its row.
   * @param {number} position
   */
  pick(position) {
    const { name } = this.state.parameters[position];
    this.panels.reveal(name, this.view);
    if (!this.view.selected.includes(name)) this.select(name, false);
    this.draw();
    this.panels.tree.goTo(`p:${name}`);
  }

  /** @param {string} name */
  explain(name) {
    this.view.why = name;
    this.panels.explanations.turn(name);
    this.#changed();
  }

  /** @param {string} tab */
  chooseTab(tab) {
    this.view.tab = tab;
    this.panels.lines.data.hurry();
    this.#changed();
  }

  /** @param {string} points over which metrics are smoothed */
  chooseSmoothing(points) {
    this.view.chooseSmoothing(points);
    this.#changed();
  }

  /** @param {string} scale */
  chooseScale(scale) {
    this.view.chooseScale(scale);
    this.#changed();
  }

  /** @param {string} stat */
  chooseStatistic(stat) {
    this.view.chooseStatistic(stat);
    this.panels.lines.data.hurry();
    this.#changed();
  }

  /** @param {string} figure */
  chooseFigure(figure) {
    this.view.chooseFigure(figure);
    this.#changed();
  }

  /** @param {readonly [number, number] | null} colors null for those that follow the values */
  chooseColors(colors) {
    this.view.colors = colors;
    this.#changed();
  }

  /** @param {string} within a module, or neighbours that share a row; "" for the whole model */
  openInHeatmap(within) {
    this.view.within = within;
    this.#changed();
  }

  /** @param {import("../model/view_url.js").SortColumn} column */
  sortBy(column) {
    this.view.sortBy(column);
    this.#changed();
  }

  sortAsModel() {
    this.view.sortAsModel();
    this.#changed();
  }

  /** @param {number} id */
  goToCommand(id) {
    this.chooseLog("commands");
    this.draw();
    this.panels.log.goTo(id);
  }

  /** @param {number} id */
  goToGate(id) {
    this.chooseLog("gates");
    this.draw();
    this.panels.gates.list.goTo(id);
  }

  /** @param {string} log */
  chooseLog(log) {
    this.view.chooseLog(log);
    this.#changed();
  }

  /**
   * Show the steps around an event in the heat map, and its parameter.
   * @param {import("../wire.js").EventRow} event
   */
  showEvent(event) {
    this.view.showEvent(event, this.state.step);
    if (this.state.loaded) {
      this.view.keepKnown(this.state.parameters.map(({ name }) => name));
      for (const name of this.view.selected) this.panels.reveal(name, this.view);
    }
    this.panels.lines.data.hurry();
    this.#changed();
  }

  /** Go to the latest open alert, or else to the list of what happened. */
  goToEvents() {
    const [latest] = openAlerts(this.state.events);
    this.view.chooseLog("events");
    if (latest === undefined) this.#changed();
    else this.showEvent(latest);
    const shown = latest ?? this.state.events[0];
    if (shown !== undefined) this.panels.events.list.goTo(shown.id);
  }

  /** @param {import("../model/events.js").EventFilter} filter */
  filterEvents(filter) {
    this.view.events = filter;
    this.#replaceView();
  }

  /** @param {string} name */
  toggleLine(name) {
    if (tabOf(this.view) === "parameters") {
      this.select(name, true);
      return;
    }
    this.view.toggleMetric(name, this.panels.lines.data.metrics.shown(this.view.metrics));
    this.#changed();
  }

  /**
   * @param {string} path
   * @param {boolean} collapsed
   */
  collapse(path, collapsed) {
    this.view.collapse(path, collapsed);
    this.#replaceView();
  }

  /** Close the modules right below the root, or open all. @param {boolean} collapsed */
  collapseAll(collapsed) {
    this.view.openTo(collapsed ? 1 : Infinity);
    this.#replaceView();
  }

  /** The view was changed by hand: draw at once, and let Back undo it. */
  #changed() {
    this.address.push(this.#address);
    this.#show();
  }

  /** A small change by hand, such as a letter typed, which Back does not undo by itself. */
  #replaceView() {
    this.#keepView();
    this.#show();
  }

  #show() {
    this.draw();
    this.drawLines();
  }

  #keepView() {
    this.address.replace(this.#address);
  }

  get #address() {
    return location.pathname + writeView(this.view);
  }

  /** The theme's colours are others. */
  takeTheme() {
    this.tokens = readTokens();
    this.redraw();
  }

  /** What changes with time alone. */
  tick() {
    this.live.dropIfSilent();
    if (document.hidden) return;
    this.panels.header.render(this.state, this.live, this.refusal);
  }

  draw() {
    if (document.hidden) return;
    const { view, tokens, locked } = this;
    this.tick();
    if (!this.state.loaded) {
      this.waiting.render(this.live);
      return;
    }
    this.waiting.end();
    this.panels.draw({ view, tokens, locked, connected: this.live.connected });
    this.watch();
    this.redrawFlow();
    this.redrawLines();
  }

  drawFlow() {
    if (!document.hidden && this.state.loaded) this.panels.drawFlow(this.view, this.tokens);
  }

  drawLines() {
    this.panels.lines.draw(this.view, this.tokens);
  }

  /** @param {KeyboardEvent} event */
  shortcut(event) {
    const { grid } = this.panels.tree;
    const typing = event.target instanceof HTMLInputElement;
    const slash = event.key === "/" && (event.ctrlKey || !typing);
    if (slash) {
      event.preventDefault();
      this.filter.focus();
      this.filter.select();
    } else if (event.key === "Escape" && event.target === this.filter) {
      this.setFilter("");
      grid.focus();
    } else if (event.key === "Escape" && this.view.why !== "" && !event.defaultPrevented) {
      this.explain("");
    } else if ((event.key === "ArrowDown" || event.key === "Enter") && event.target === this.filter) {
      event.preventDefault();
      grid.focus();
    }
  }
}
