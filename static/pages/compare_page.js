/**
 * The page that compares runs: reads each, again while one of them is live, and draws what differs.
 *
 * @typedef {import("../compare/compared_run.js").ComparedRun} ComparedRun
 * @typedef {import("../compare/overlay_figure.js").Align} Align
 */
import { byId, element, find, setText } from "../base/dom.js";
import { formatCount, plural } from "../base/format.js";
import { wordMatcher } from "../base/glob.js";
import { visible } from "../base/visible.js";
import { drawPlot } from "../charts/plot_layout.js";
import { readTokens } from "../charts/theme_tokens.js";
import { compareLink, fetchRun, MOST_RUNS, namedRuns } from "../compare/compared_run.js";
import { renderDifferences, swatch } from "../compare/difference_table.js";
import { metricNames, overlayFigure } from "../compare/overlay_figure.js";
import { renderRatios } from "../compare/ratio_table.js";

const AGAIN_MS = 5000;
const HEIGHT = 180;

export class ComparePage {
  /** @param {string} search the query string of the page's address */
  constructor(search) {
    this.ids = namedRuns(search);
    /** @type {ComparedRun[]} */
    this.runs = [];
    this.align = byId("align", HTMLSelectElement);
    this.align.addEventListener("change", () => this.draw());
    this.filter = byId("filter", HTMLInputElement);
    this.filter.addEventListener("input", () => this.#drawRatios());
    this.loading = false;
    /** When the runs are read again, while one of them is live. @type {ReturnType<typeof setTimeout> | undefined} */
    this.again = undefined;
  }

  /** Read the runs; those that cannot be read are told of, and the others are compared. */
  async load() {
    if (document.hidden || this.loading) return;
    clearTimeout(this.again);
    this.loading = true;
    const answers = await Promise.allSettled(this.ids.map(fetchRun));
    this.loading = false;
    this.runs = answers.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    const failures = answers.flatMap((each) => (each.status === "rejected" ? [String(each.reason.message)] : []));
    const banner = byId("banner", HTMLElement);
    banner.hidden = failures.length === 0;
    setText(banner, failures.join(" "));
    this.#tell();
    this.draw();
    if (this.runs.some(({ run }) => run.status === "live")) this.again = setTimeout(() => this.load(), AGAIN_MS);
  }

  /** Say what there is to do where there is nothing to compare. */
  #tell() {
    const hint = byId("hint", HTMLElement);
    hint.hidden = this.runs.length > 1;
    const few = this.runs.length === 0 ? "No run is named" : "One run is named";
    setText(hint, `${few}: choose two to ${MOST_RUNS} in the list of runs, or name them in the address, as /compare?run=…&run=….`);
    for (const id of ["compared", "metrics", "differences", "ratios"]) byId(id, HTMLElement).hidden = this.runs.length === 0;
  }

  /** Draw all that is known. */
  draw() {
    if (this.runs.length === 0 || document.hidden) return;
    this.#drawRuns();
    this.#drawMetrics();
    renderDifferences(find(byId("differences", HTMLElement), "table"), this.runs);
    this.#drawRatios();
  }

  #drawRuns() {
    const entries = this.runs.map(({ run }, place) => {
      const away = { href: compareLink(this.ids.filter((id) => id !== run.id)), title: "Leave this run out", "aria-label": `Leave ${visible(run.name)} out` };
      return element(
        "li",
        {},
        swatch(place),
        element("a", { href: `/runs/${encodeURIComponent(run.id)}` }, visible(run.name)),
        element("a", { class: "away", ...away }, "×"),
        element("span", { class: "note" }, `${run.status}, step ${formatCount(run.step)}, started ${new Date(run.started * 1000).toLocaleString()}`),
      );
    });
    byId("compared", HTMLElement).replaceChildren(...entries);
  }

  #drawMetrics() {
    const place = find(byId("metrics", HTMLElement), ".overlays");
    const names = metricNames(this.runs);
    if (names.length === 0) {
      place.replaceChildren(element("p", { class: "hint" }, "None of these runs has logged a metric: run.log(loss=loss) does."));
      return;
    }
    const known = new Map([...place.querySelectorAll("figure")].map((each) => [each.dataset["metric"], each]));
    const figures = names.map((name) => known.get(name) ?? newFigure(name));
    if (figures.some((each, index) => place.children[index] !== each)) place.replaceChildren(...figures);
    const tokens = readTokens();
    const align = /** @type {Align} */ (this.align.value);
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
