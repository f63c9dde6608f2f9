/**
 * What the person looks at on a run's page, and how each choice changes it.
 *
 * @typedef {import("../model/view_url.js").View} View
 * @typedef {import("../wire.js").EventRow} EventRow
 */
import { passesFilter, rangeAround } from "../model/events.js";
import { figureOf, logOf, MAX_SELECTED, nextSort, readView, scaleOf, smoothingOf, statisticOf } from "../model/view_url.js";

/** @implements {View} */
export class ViewState {
  /** @param {string} search the query string of the page's address */
  constructor(search) {
    const { filter, selected, tab, log, collapsed, opened, depth, metrics, stat, smooth, scale, sort, why, of, colors, within, range, events, event } = readView(search);
    this.filter = filter;
    this.selected = selected;
    this.tab = tab;
    this.log = log;
    this.collapsed = collapsed;
    this.opened = opened;
    this.depth = depth;
    this.metrics = metrics;
    this.stat = stat;
    this.smooth = smooth;
    this.scale = scale;
    this.sort = sort;
    this.why = why;
    this.of = of;
    this.colors = colors;
    this.within = within;
    this.range = range;
    this.events = events;
    this.event = event;
  }

  /**
   * Select a parameter alone, or add it to what is selected; what was selected so already is taken away.
   * @param {string} name
   * @param {boolean} add
   */
  select(name, add) {
    const { selected } = this;
    if (!add) this.selected = selected.length === 1 && selected[0] === name ? [] : [name];
    else if (selected.includes(name)) this.selected = selected.filter((each) => each !== name);
    else this.selected = [...selected, name].slice(-MAX_SELECTED);
    this.tab = "";
  }

  /**
   * Drop what is selected and not in the model's table. Has that changed anything?
   * @param {readonly string[]} names in the table
   */
  keepKnown(names) {
    const known = new Set(names);
    if (this.selected.every((name) => known.has(name))) return false;
    this.selected = this.selected.filter((name) => known.has(name));
    return true;
  }

  /**
   * Show a metric, or take it away.
   * @param {string} name
   * @param {readonly string[]} shown the metrics that are shown now
   */
  toggleMetric(name, shown) {
    this.metrics = shown.includes(name) ? shown.filter((each) => each !== name) : [...shown, name];
  }

  /**
   * Show an event: the steps around it, and its first parameter among those that are selected. A filter that
   * would not list it is given up.
   * @param {EventRow} event
   * @param {number} reached the latest step of the run
   */
  showEvent(event, reached) {
    this.event = event.id;
    if (!passesFilter(event, this.events)) this.events = readView("").events;
    this.range = rangeAround(event, reached);
    const [name] = event.parameters;
    if (name !== undefined && !this.selected.includes(name)) this.select(name, false);
  }

  /** @param {string} points */
  chooseSmoothing(points) {
    this.smooth = smoothingOf(points);
  }

  /** @param {string} scale */
  chooseScale(scale) {
    this.scale = scaleOf(scale);
  }

  /** @param {string} stat */
  chooseStatistic(stat) {
    this.stat = statisticOf(stat);
  }

  /** @param {string} figure */
  chooseFigure(figure) {
    this.of = figureOf(figure);
  }

  /** @param {import("../model/view_url.js").SortColumn} column */
  sortBy(column) {
    this.sort = nextSort(this.sort, column);
  }

  /** Show the modules again, in model order. */
  sortAsModel() {
    this.sort = "";
  }

  /** @param {string} log */
  chooseLog(log) {
    this.log = logOf(log);
  }

  /**
   * @param {string} path of a module
   * @param {boolean} collapsed
   */
  collapse(path, collapsed) {
    const [to, from] = collapsed ? [this.collapsed, this.opened] : [this.opened, this.collapsed];
    to.add(path);
    from.delete(path);
  }

  /**
   * Open so many levels, whatever was opened or closed before.
   * @param {number} depth
   */
  openTo(depth) {
    this.depth = depth;
    this.collapsed.clear();
    this.opened.clear();
  }
}
