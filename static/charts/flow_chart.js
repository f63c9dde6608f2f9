/**
 * The flow chart: draws what the run's state says, and tells which parameter was clicked.
 *
 * @typedef {import("../model/run_state.js").RunState} RunState
 * @typedef {import("./plotly.js").PlotlyElement} PlotlyElement
 */
import { find, setAttribute, setText } from "../base/dom.js";
import { formatCount, plural } from "../base/format.js";
import { Memo } from "../base/memo.js";
import { SEVERITY, stateCode } from "../model/states.js";
import { axisBlocks, inOrder, treeOrder } from "./depth_axis.js";
import { flowFigure } from "./flow_figure.js";
import { toColumns } from "./parameter_columns.js";
import { drawPlot } from "./plot_layout.js";

const COLUMN_PX = 2.5;

export class FlowChart {
  /**
   * @param {HTMLElement} chart
   * @param {HTMLElement} note
   * @param {(position: number) => void} onPick
   */
  constructor(chart, note, onPick) {
    this.chart = chart;
    /** @type {PlotlyElement} */
    this.plot = find(chart, ".plot");
    this.hint = find(chart, ".hint");
    this.note = note;
    this.onPick = onPick;
    this.listening = false;
    /** @type {readonly number[]} the position of the parameter at each place of the axis */
    this.order = [];
    this.drawn = new Memo();
    /** @type {Set<number>} states that the strip has shown: a row stays, so that the chart is still */
    this.stripStates = new Set();
  }

  /**
   * @param {RunState} state
   * @param {object} view
   * @param {ReadonlyMap<number, string>} view.selected colours by position
   * @param {Uint8Array | null} view.matched
   * @param {Record<string, string>} view.tokens
   */
  async render(state, { selected, matched, tokens }) {
    const count = state.tree.root.parameters.length;
    const empty = count === 0 || state.domain === null || state.extent === null;
    this.hint.hidden = !empty;
    if (empty) {
      const bare = state.loaded && count === 0;
      setText(this.hint, bare ? "This model has no parameters." : "Waiting for the first sample.");
      return;
    }
    const { clientWidth: width, clientHeight: height } = this.chart;
    if (width === 0 || height === 0) return;
    const chosen = [...selected].flat();
    const { history } = state;
    if (!this.drawn.differs(state.states, state.parameters, history, history.version, matched, tokens, width, height, ...chosen)) return;
    this.order = treeOrder(state.tree);
    const sample = inOrder(this.order, { ...state, ...history.ranges() });
    const columns = toColumns(sample, Math.max(100, Math.floor(width / COLUMN_PX)));
    for (const [code, marks] of columns.marks) {
      if (marks.some((mark) => Number.isNaN(mark.norm))) this.stripStates.add(code);
    }
    const figure = flowFigure({
      columns,
      ...sample,
      blocks: axisBlocks(state.tree, 16),
      domain: /** @type {readonly [number, number]} */ (state.domain),
      extent: /** @type {readonly [number, number]} */ (state.extent),
      stripStates: SEVERITY.map(stateCode).filter((code) => this.stripStates.has(code)),
      selected: new Map(
        this.order.flatMap((position, place) => {
          const color = selected.get(position);
          return color === undefined ? [] : [/** @type {const} */ ([place, color])];
        }),
      ),
      matched: matched && Uint8Array.from(this.order, (position) => matched[position]),
      step: state.sampleStep,
      width,
      height,
      tokens,
    });
    const notes = [
      ...(history.length > 1 ? [`band: steps ${formatCount(history.firstStep)} to ${formatCount(history.lastStep)}`] : []),
      ...(columns.perColumn > 1 ? [`1 column = ${plural(columns.perColumn, "parameter")}, largest drawn`] : []),
    ];
    setText(this.note, notes.join("; "));
    setAttribute(this.note, "title", notes.join("; "));
    await drawPlot(this.plot, figure, { width, height });
    if (!this.listening) this.#listen();
  }

  #listen() {
    this.listening = true;
    this.plot.on?.("plotly_click", ({ points: [point] }) => {
      if (typeof point?.customdata === "number") this.onPick(this.order[point.customdata]);
    });
  }
}
