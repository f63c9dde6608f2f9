/**
 * The page that compares runs, and ranges of steps: reads each, again while one of them is live, and draws
 * what differs.
 *
 * @typedef {import("../compare/compared_run.js").ComparedRun} ComparedRun
 * @typedef {import("../compare/compare_view.js").CompareView} CompareView
 * @typedef {import("../compare/sides.js").Side} Side
 */
import { byId, element, find, setText } from "../base/dom.js";
import { plural } from "../base/format.js";
import { wordMatcher } from "../base/glob.js";
import { visible } from "../base/visible.js";
import { drawPlot } from "../charts/plot_layout.js";
import { readTokens } from "../charts/theme_tokens.js";
import { alignOf } from "../compare/alignment.js";
import { compareViewLink, readCompareView } from "../compare/compare_view.js";
import { fetchRun } from "../compare/compared_run.js";
import { DifferenceTable } from "../compare/difference_table.js";
import { metricNames, overlayFigure } from "../compare/overlay_figure.js";
import { RatioPanel } from "../compare/ratio_panel.js";
import { renderRatios } from "../compare/ratio_table.js";
import { SideList } from "../compare/side_list.js";
import { MOST_RUNS, withAnotherRange } from "../compare/sides.js";
import { Address } from "./address.js";

const AGAIN_MS = 5000;
const HEIGHT = 180;

export class ComparePage {
  /** @param {string} search the query string of the page's address */
  constructor(search) {
    this.view = readCompareView(search);
    this.address = new Address();
    /** @type {ComparedRun[]} */
    this.runs = [];
    this.align = byId("align", HTMLSelectElement);
    this.align.addEventListener("change", () => this.#change({ align: alignOf(this.align.value) }));
    this.filter = byId("filter", HTMLInputElement);
    this.filter.addEventListener("input", () => this.#drawRatios());
    const linkOf = (/** @type {readonly Side[]} */ sides, align = this.view.align) => compareViewLink({ ...this.view, sides, align });
    this.list = new SideList(byId("compared", HTMLElement), linkOf, (sides) => location.assign(linkOf(sides)));
    this.differences = new DifferenceTable(find(byId("differences", HTMLElement), "table"), byId("same", HTMLElement));
    this.ratioMap = new RatioPanel(byId("ratio-map", HTMLElement), {
      onAgainst: (against) => this.#change({ against }),
      onOpen: (within) => this.#change({ within }),
    });
    this.loading = false;
    /** When the runs are read again, while one of them is live. @type {ReturnType<typeof setTimeout> | undefined} */
    this.again = undefined;
  }

  /** Read the runs; those that cannot be read are told of, and the others are compared. */
  async load() {
    if (document.hidden || this.loading) return;
    clearTimeout(this.again);
    this.loading = true;
    const { sides } = this.view;
    const isMean = sides.some(({ range }) => range !== null);
    const answers = await Promise.allSettled(sides.map((side, place) => fetchRun(side, place, isMean)));
    this.loading = false;
    this.runs = answers.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    const failures = answers.flatMap((each) => (each.status === "rejected" ? [String(each.reason.message)] : []));
    const banner = byId("banner", HTMLElement);
    banner.hidden = failures.length === 0;
    setText(banner, [...new Set(failures)].join(" "));
    setText(byId("norms-of", HTMLElement), isMean ? "geometric mean over the steps of each, by name; the worst state; the largest differences first" : "latest of each parameter, by name; the largest differences first");
    this.#tell();
    this.draw();
    if (this.runs.some(({ run }) => run.status === "live")) this.again = setTimeout(() => this.load(), AGAIN_MS);
  }

  /** Say what there is to do where there is nothing to compare. */
  #tell() {
    const hint = byId("hint", HTMLElement);
    hint.hidden = this.runs.length > 1;
    const few = fewWords(this.view.sides.length, this.runs.length);
    const canSplit = this.runs.some(({ side, run }) => withAnotherRange([side], 0, run.step) !== null);
    const ranges = canSplit ? " “Another range” below compares two ranges of its steps." : "";
    setText(hint, `${few}: choose two to ${MOST_RUNS} in the list of runs, or name them in the address, as /compare?run=…&run=….${ranges}`);
    for (const id of ["compared", "metrics", "differences", "ratios"]) byId(id, HTMLElement).hidden = this.runs.length === 0;
    byId("ratio-map", HTMLElement).hidden = this.runs.length < 2;
  }

  /** Draw all that is known. */
  draw() {
    if (this.runs.length === 0 || document.hidden) return;
    this.align.value = this.view.align;
    this.list.render(this.runs, this.view.sides);
    this.#drawMetrics();
    this.differences.render(this.runs);
    this.#drawRatios();
    if (this.runs.length > 1) this.ratioMap.render(this.runs, this.view, readTokens());
  }

  /** Something was chosen, which Back undoes. @param {Partial<CompareView>} changes */
  #change(changes) {
    this.view = { ...this.view, ...changes };
    this.address.push(compareViewLink(this.view));
    this.draw();
  }

  /** Back or Forward was pressed: show what the address says. */
  goBack() {
    this.address.turn();
    this.view = readCompareView(location.search);
    this.draw();
  }

  #drawMetrics() {
    const place = find(byId("metrics", HTMLElement), ".overlays");
    const names = metricNames(this.runs);
    if (names.length === 0) {
      place.replaceChildren(element("p", { class: "hint" }, "Nothing was logged in these steps: run.log(loss=loss) logs a metric."));
      return;
    }
    const known = new Map([...place.querySelectorAll("figure")].map((each) => [each.dataset["metric"], each]));
    const figures = names.map((name) => known.get(name) ?? newFigure(name));
    if (figures.some((each, index) => place.children[index] !== each)) place.replaceChildren(...figures);
    const tokens = readTokens();
    const { align } = this.view;
    names.forEach((name, index) => {
      const plot = find(figures[index], ".plot");
      const width = plot.clientWidth;
      if (width > 0) void drawPlot(plot, overlayFigure(name, this.runs, align, tokens), { width, height: HEIGHT });
    });
  }

  #drawRatios() {
    const matches = wordMatcher(this.filter.value.trim());
    const { shown, matching } = renderRatios(find(byId("ratios", HTMLElement), "table"), this.runs, matches);
    const all = plural(matching, "parameter");
    setText(byId("matches", HTMLElement), shown < matching ? `the first ${shown} of ${all}` : all);
  }
}

/** @param {string} name */
function newFigure(name) {
  const figure = element("figure", {}, element("figcaption", {}, visible(name)), element("div", { class: "plot" }));
  figure.dataset["metric"] = name;
  return figure;
}

/**
 * @param {number} named
 * @param {number} read one at most
 */
function fewWords(named, read) {
  if (named === 0) return "No run is named";
  if (read === 0) return named === 1 ? "The run that is named cannot be read" : "None of the runs that are named can be read";
  return named === 1 ? "One run is named" : "Only one of the runs that are named can be read";
}
