/**
 * The sparklines of the rows in sight: asked for together, again for those whose run went on.
 *
 * @typedef {import("../wire.js").RunRow} RunRow
 * @typedef {import("../wire.js").MetricSparkline} MetricSparkline
 */
import { find, setAttribute } from "../base/dom.js";
import { HEIGHT, sparklinePath, sparklineTitle, WIDTH } from "./run_sparkline.js";

const SVG = "http://www.w3.org/2000/svg";
/** How many are asked for at once, and how long the next question waits. */
const MOST = 60;
const PAUSE_MS = 2000;

export class RunSparklines {
  /** @param {(runs: readonly string[]) => Promise<Record<string, MetricSparkline>>} fetchSparklines */
  constructor(fetchSparklines) {
    this.fetch = fetchSparklines;
    /** At which step of its run a row's sparkline was drawn. @type {WeakMap<HTMLElement, number>} */
    this.drawn = new WeakMap();
    this.asking = false;
    this.notBefore = 0;
  }

  /**
   * Draw what is missing or old of the rows in sight.
   * @param {ReadonlyMap<string, HTMLElement>} rows
   * @param {readonly RunRow[]} runs that are listed
   */
  async update(rows, runs) {
    if (this.asking || performance.now() < this.notBefore) return;
    const old = runs.flatMap(({ id, step }) => {
      const row = rows.get(id);
      return row !== undefined && this.drawn.get(row) !== step && isInSight(row) ? [{ id, step, row }] : [];
    });
    if (old.length === 0) return;
    const asked = old.slice(0, MOST);
    this.asking = true;
    const found = await this.fetch(asked.map(({ id }) => id)).finally(() => {
      this.asking = false;
      this.notBefore = performance.now() + PAUSE_MS;
    });
    for (const { id, step, row } of asked) {
      this.drawn.set(row, step);
      draw(find(row, ".course"), found[id] ?? null);
    }
  }
}

/** @param {HTMLElement} row */
function isInSight(row) {
  const { top, bottom } = row.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
}

/**
 * @param {HTMLElement} place
 * @param {MetricSparkline | null} sparkline
 */
function draw(place, sparkline) {
  if (sparkline === null) {
    place.replaceChildren();
    return;
  }
  const title = sparklineTitle(sparkline);
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of [["viewBox", `0 0 ${WIDTH} ${HEIGHT}`], ["role", "img"], ["aria-label", title]]) svg.setAttribute(name, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", sparklinePath(sparkline.values));
  svg.append(path);
  setAttribute(place, "title", title);
  place.replaceChildren(svg);
}
