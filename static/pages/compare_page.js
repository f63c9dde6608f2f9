/**
 * The page that compares runs, and ranges of steps: reads each, again while one of them is live, and draws
 * what differs.
 *
 * @typedef {import("../compare/compared_run.js").ComparedRun} ComparedRun
 * @typedef {import("../compare/sides.js").Side} Side
 */
import { byId, element, find, setText } from "../base/dom.js";
import { formatCount, plural } from "../base/format.js";
import { wordMatcher } from "../base/glob.js";
import { visible } from "../base/visible.js";
import { drawPlot } from "../charts/plot_layout.js";
import { readTokens } from "../charts/theme_tokens.js";
import { alignOf } from "../compare/alignment.js";
import { fetchRun } from "../compare/compared_run.js";
import { renderDifferences, swatch } from "../compare/difference_table.js";
import { metricNames, overlayFigure } from "../compare/overlay_figure.js";
import { RatioPanel } from "../compare/ratio_panel.js";
import { renderRatios } from "../compare/ratio_table.js";
import { compareLink, MOST_RUNS, namedSides, sideText, withAnotherRange, wrongStep } from "../compare/sides.js";

const AGAIN_MS = 5000;
const HEIGHT = 180;

export class ComparePage {
  /** @param {string} search the query string of the page's address */
  constructor(search) {
    this.sides = namedSides(search);
    /** @type {ComparedRun[]} */
    this.runs = [];
    this.align = byId("align", HTMLSelectElement);
    this.align.value = alignOf(new URLSearchParams(search).get("align"));
    this.align.addEventListener("change", () => this.#chooseAlign());
    this.filter = byId("filter", HTMLInputElement);
    this.filter.addEventListener("input", () => this.#drawRatios());
    this.ratioMap = new RatioPanel(byId("ratio-map", HTMLElement));
    this.loading = false;
    /** When the runs are read again, while one of them is live. @type {ReturnType<typeof setTimeout> | undefined} */
    this.again = undefined;
  }

  /** Read the runs; those that cannot be read are told of, and the others are compared. */
  async load() {
    if (document.hidden || this.loading) return;
    clearTimeout(this.again);
    this.loading = true;
    const isMean = this.sides.some(({ range }) => range !== null);
    const answers = await Promise.allSettled(this.sides.map((side) => fetchRun(side, isMean)));
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
    const few = this.runs.length === 0 ? "No run is named" : "One run is named";
    const ranges = this.runs.length === 0 ? "" : " “Another range” below compares two ranges of its steps.";
    setText(hint, `${few}: choose two to ${MOST_RUNS} in the list of runs, or name them in the address, as /compare?run=…&run=….${ranges}`);
    for (const id of ["compared", "metrics", "differences", "ratios"]) byId(id, HTMLElement).hidden = this.runs.length === 0;
    byId("ratio-map", HTMLElement).hidden = this.runs.length < 2;
  }

  /** Draw all that is known. */
  draw() {
    if (this.runs.length === 0 || document.hidden) return;
    this.#drawRuns();
    this.#drawMetrics();
    renderDifferences(find(byId("differences", HTMLElement), "table"), this.runs);
    this.#drawRatios();
    if (this.runs.length > 1) this.ratioMap.render(this.runs, alignOf(this.align.value), readTokens());
  }

  #drawRuns() {
    const list = byId("compared", HTMLElement);
    // Whoever is in the list goes on there; what changes by itself in it is the latest step alone.
    if (list.contains(document.activeElement)) return;
    list.replaceChildren(...this.runs.map((compared, place) => this.#entry(compared, place)));
  }

  /**
   * A run with its steps, which can be chosen, and the ways to another range and without it.
   * @param {ComparedRun} compared
   * @param {number} place
   */
  #entry({ run, label, side, steps }, place) {
    const at = this.sides.findIndex((each) => sideText(each) === sideText(side));
    const name = visible(label);
    const away = { href: this.#link(this.sides.filter((_, i) => i !== at)), title: "Leave this out", "aria-label": `Leave ${name} out` };
    const another = { href: this.#link(withAnotherRange(this.sides, at, run.step)), title: "Compare two ranges of its steps" };
    const form = element("form", { class: "steps" });
    const inputs = ["First", "Last"].map((which, i) => {
      const input = /** @type {HTMLInputElement} */ (element("input", { class: "field", inputmode: "numeric", "aria-label": `${which} step of ${name}` }));
      input.value = String(steps[i]);
      return input;
    });
    form.append("steps ", inputs[0], " to ", inputs[1], element("button", { class: "button" }, "Show"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#chooseSteps(at, inputs, run.step);
    });
    return element(
      "li",
      {},
      swatch(place),
      element("a", { href: `/runs/${encodeURIComponent(run.id)}${side.range === null ? "" : `?from=${side.range[0]}&to=${side.range[1]}`}` }, name),
      element("a", { class: "away", ...away }, "×"),
      form,
      ...(this.sides.length < MOST_RUNS && run.step > 0 ? [element("a", another, "Another range")] : []),
      element("span", { class: "note" }, `${run.status}, step ${formatCount(run.step)}, started ${new Date(run.started * 1000).toLocaleString()}`),
    );
  }

  /**
   * @param {number} at place of the side
   * @param {readonly HTMLInputElement[]} inputs
   * @param {number} reached
   */
  #chooseSteps(at, inputs, reached) {
    const given = inputs.map(({ value }) => Number(value.replaceAll(",", "")));
    const wrong = inputs[wrongStep(inputs.map(({ value }) => value), reached)] ?? null;
    for (const input of inputs) input.setCustomValidity(input === wrong ? `Give whole steps from 0 to ${formatCount(reached)}, the first before the last.` : "");
    if (wrong !== null) {
      wrong.reportValidity();
      wrong.addEventListener("input", () => wrong.setCustomValidity(""), { once: true });
      return;
    }
    const { id } = this.sides[at];
    /** @type {Side} */
    const side = { id, range: given[0] === 0 && given[1] >= reached ? null : [given[0], given[1]] };
    location.assign(this.#link(this.sides.map((each, i) => (i === at ? side : each))));
  }

  #chooseAlign() {
    history.replaceState(null, "", this.#link(this.sides));
    this.draw();
  }

  /** The address of a comparison that is aligned as this one. @param {readonly Side[]} sides */
  #link(sides) {
    const align = this.align.value === "step" ? "" : `align=${this.align.value}`;
    const link = compareLink(sides);
    return align === "" ? link : `${link}${link.endsWith("?") ? "" : "&"}${align}`;
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
    const align = alignOf(this.align.value);
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
