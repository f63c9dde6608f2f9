/**
 * The heat map of the ratio of two of the runs that are compared: the first, and one that is chosen.
 *
 * @typedef {import("./alignment.js").Align} Align
 * @typedef {import("./compare_view.js").CompareView} CompareView
 * @typedef {import("./compared_run.js").ComparedRun} ComparedRun
 */
import { element, find, setText } from "../base/dom.js";
import { formatCount, plural } from "../base/format.js";
import { visible } from "../base/visible.js";
import { Cells } from "../heatmap/cells.js";
import { modulesAround } from "../heatmap/heatmap_request.js";
import { rowLabel } from "../heatmap/heatmap_words.js";
import { getColumns, reasonOf } from "../link/api.js";
import { alignedAxis, timeUnit } from "./alignment.js";
import { rangeQuery } from "./compared_run.js";
import { ratioCells } from "./ratio_cells.js";
import { RatioMap } from "./ratio_map.js";
import { sideText } from "./sides.js";

const COLUMNS = 240;
const ROWS = 24;

export class RatioPanel {
  /** @type {{runs: readonly ComparedRun[], view: CompareView, tokens: Record<string, string>} | null} */
  #scene = null;
  /** @type {{key: string, cells: readonly [Cells, Cells]} | null} */
  #answer = null;
  #asked = "";

  /**
   * @param {HTMLElement} panel
   * @param {object} handlers
   * @param {(against: string) => void} handlers.onAgainst another side is to be held against the first
   * @param {(within: string) => void} handlers.onOpen a row is to be opened; "" for the whole model
   */
  constructor(panel, { onAgainst, onOpen }) {
    this.onOpen = onOpen;
    this.against = /** @type {HTMLSelectElement} */ (find(panel, "select"));
    this.crumbs = find(panel, ".crumbs");
    this.caption = find(panel, ".caption");
    this.map = new RatioMap(/** @type {HTMLCanvasElement} */ (find(panel, "canvas")), find(panel, ".tip"), find(panel, ".said"), onOpen);
    this.against.addEventListener("change", () => onAgainst(this.against.value));
  }

  /**
   * @param {readonly ComparedRun[]} runs two at least
   * @param {CompareView} view
   * @param {Record<string, string>} tokens
   */
  render(runs, view, tokens) {
    this.#scene = { runs, view, tokens };
    const options = runs.slice(1).map(({ label, side }) => new Option(visible(label), sideText(side)));
    if (options.map(({ value }) => value).join() !== Array.from(this.against.options, ({ value }) => value).join()) this.against.replaceChildren(...options);
    this.#draw();
  }

  #draw() {
    const scene = this.#scene;
    if (scene === null) return;
    const { align, against, within } = scene.view;
    const [first, ...others] = scene.runs;
    const other = others.find(({ side }) => sideText(side) === against) ?? others[0];
    this.against.value = sideText(other.side);
    this.#showCrumbs(within);
    void this.#fetch(first, other, within);
    if (this.#answer === null || this.#answer.key !== this.#asked) return;
    const [one, two] = this.#answer.cells;
    const ratio = ratioCells({ cells: one, axis: alignedAxis(first, align) }, { cells: two, axis: alignedAxis(other, align) }, COLUMNS);
    if (ratio === null || ratio.names.length === 0) {
      setText(this.caption, ratio === null ? "When these samples were taken is not known any more: choose another alignment." : "They have no row of the same name.");
      return;
    }
    const unit = timeUnit(align === "time" ? ratio.ends[1] : 0);
    /** @type {{[align in Align]: (position: number) => string}} */
    const words = { step: formatCount, start: (steps) => `+${formatCount(steps)}`, share: (percent) => `${percent} %`, time: (seconds) => `${Number((seconds / unit.seconds).toPrecision(3))} ${unit.unit}` };
    this.map.draw({ ratio, labels: [first.label, other.label], positionWords: words[align], tokens: scene.tokens });
    setText(this.caption, captionOf(ratio, align));
  }

  /**
   * @param {ComparedRun} first
   * @param {ComparedRun} other
   * @param {string} within
   */
  async #fetch(first, other, within) {
    const key = JSON.stringify([...[first, other].map(({ side, run }) => [sideText(side), run.step]), within]);
    if (key === this.#asked) return;
    this.#asked = key;
    const match = within === "" ? "" : `&match=${encodeURIComponent(within)}`;
    try {
      const [one, two] = await Promise.all([first, other].map(({ side }) => getColumns(`/api/runs/${encodeURIComponent(side.id)}/heatmap?of=mean&columns=${COLUMNS}&rows=${ROWS}${rangeQuery(side)}${match}`)));
      if (key !== this.#asked) return;
      this.#answer = { key, cells: [new Cells(one), new Cells(two)] };
      this.#draw();
    } catch (error) {
      if (key === this.#asked) setText(this.caption, reasonOf(error));
    }
  }

  /** @param {string} within */
  #showCrumbs(within) {
    if (this.crumbs.dataset["of"] === within) return;
    this.crumbs.dataset["of"] = within;
    const around = ["", ...modulesAround(within)];
    this.crumbs.hidden = around.length === 1;
    this.crumbs.replaceChildren(
      ...around.map((path, i) => {
        const crumb = element("button", { type: "button", class: "crumb" }, path === "" ? "All" : visible(rowLabel(path, around[i - 1])));
        if (i === around.length - 1) crumb.setAttribute("aria-current", "true");
        crumb.addEventListener("click", () => this.onOpen(path));
        return crumb;
      }),
    );
  }
}

/**
 * What is left out of the picture, or why it is empty.
 * @param {import("./ratio_cells.js").RatioCells} ratio
 * @param {Align} align
 */
function captionOf({ doublings, alone }, align) {
  if (doublings.every(Number.isNaN)) return align === "step" ? "No step has a norm in both: lay them over each other from where each begins, above." : "No norm of the one lies over a norm of the other.";
  return alone === 0 ? "" : `${plural(alone, "row")} that only one of them has ${alone === 1 ? "is" : "are"} left out`;
}
