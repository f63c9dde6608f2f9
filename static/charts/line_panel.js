/**
 * The panel of lines over time: its tabs, its chart, and the data behind it.
 *
 * @typedef {import("../model/run_state.js").RunState} RunState
 * @typedef {import("../model/view_url.js").View} View
 */
import { byId } from "../base/dom.js";
import { Memo } from "../base/memo.js";
import { Tabs } from "../base/tabs.js";
import { effectMarks } from "../model/commands.js";
import { MAX_SELECTED, tabOf } from "../model/view_url.js";
import { LineChart, lineHint } from "./line_chart.js";
import { LineData } from "./line_data.js";

export class LinePanel {
  /**
   * @param {string} api
   * @param {RunState} state
   * @param {object} handlers
   * @param {(request: () => Promise<void>) => Promise<void>} handlers.guard runs a request, shows its failure
   * @param {() => void} handlers.onChange new data has come
   * @param {(name: string) => void} handlers.onToggle an entry of the key was clicked
   * @param {(tab: string) => void} handlers.onTab
   * @param {(name: string) => void} handlers.onWhy a parameter is to be explained
   */
  constructor(api, state, { guard, onChange, onToggle, onTab, onWhy }) {
    this.state = state;
    this.data = new LineData(api, guard, onChange);
    this.tabs = new Tabs(byId("line-tabs", HTMLElement), onTab);
    this.chart = new LineChart(
      byId("lines", HTMLElement),
      byId("key", HTMLElement),
      byId("resolution", HTMLElement),
      { onToggle, onWhy },
    );
    this.drawn = new Memo();
  }

  /**
   * @param {View} view
   * @param {Record<string, string>} tokens
   */
  draw(view, tokens) {
    const { state, chart, data } = this;
    if (document.hidden || !state.loaded) return;
    data.fetchMissing(view, chart.room, state.sampleStep);
    const tab = tabOf(view);
    const { clientWidth: width, clientHeight: height } = chart.chart;
    const asking = tab === "parameters" ? view.selected.filter((name) => asks(name, state)) : [];
    const chosen = [tab, view.selected, view.metrics, asking.join("\n")];
    if (!this.drawn.differs(data.version, state.commands, tokens, width, height, ...chosen)) return;
    this.tabs.show(tab);
    const lines = data.lines(view, chart.room, tokens);
    chart.render({
      tab,
      ...lines,
      key: lines.key.map((entry) => ({ ...entry, asks: asking.includes(entry.name) })),
      marks: effectMarks(state.commands),
      hint: lineHint(tab, MAX_SELECTED),
      tokens,
    });
  }
}

/**
 * @param {string} name
 * @param {RunState} state
 */
function asks(name, { parameters, states, verdicts }) {
  const position = parameters.findIndex((each) => each.name === name);
  return position >= 0 && verdicts.asks(position, states);
}
