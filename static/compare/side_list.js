/**
 * The list of what is compared: an entry for each side, which stays the same element while its side is listed.
 *
 * @typedef {import("./alignment.js").Align} Align
 * @typedef {import("./compared_run.js").ComparedRun} ComparedRun
 * @typedef {import("./sides.js").Side} Side
 */
import { arrange, element, find, setAttribute, setText } from "../base/dom.js";
import { formatCount } from "../base/format.js";
import { rooted } from "../base/root.js";
import { visible } from "../base/visible.js";
import { setBackAt } from "./alignment.js";
import { swatch } from "./difference_table.js";
import { sideText, withAnotherRange, wrongStep } from "./sides.js";

export class SideList {
  /** @type {Map<string, HTMLElement>} by side, as an address has it */
  #items = new Map();

  /**
   * @param {HTMLElement} list
   * @param {(sides: readonly Side[], align?: Align) => string} linkOf the address that compares some sides as these are, or laid over each other otherwise
   * @param {(sides: readonly Side[]) => void} onChoose other steps of a side are asked for
   */
  constructor(list, linkOf, onChoose) {
    this.list = list;
    this.linkOf = linkOf;
    this.onChoose = onChoose;
  }

  /**
   * @param {readonly ComparedRun[]} runs
   * @param {readonly Side[]} sides those of the address, also such as cannot be read
   */
  render(runs, sides) {
    const items = runs.map((compared) => {
      const key = sideText(compared.side);
      const item = this.#items.get(key) ?? this.#made(compared, sides);
      this.#items.set(key, item);
      this.#fill(item, compared, sides);
      return item;
    });
    arrange(this.list, items);
  }

  /**
   * @param {ComparedRun} compared
   * @param {readonly Side[]} sides
   */
  #made({ run, label, side, place, steps }, sides) {
    const name = visible(label);
    const range = side.range === null ? "" : `?from=${side.range[0]}&to=${side.range[1]}`;
    const form = element("form", { class: "steps" });
    const inputs = ["First", "Last"].map((which, i) => {
      const input = /** @type {HTMLInputElement} */ (element("input", { class: "field", inputmode: "numeric", "aria-label": `${which} step of ${name}` }));
      input.value = String(steps[i]);
      input.name = which;
      return input;
    });
    form.append("steps ", inputs[0], " to ", inputs[1], element("button", { class: "button" }, "Show"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#choose(side, inputs, Number(form.dataset["reached"]), sides);
    });
    return element(
      "li",
      {},
      swatch(place),
      element("a", { class: "run", href: rooted(`/runs/${encodeURIComponent(run.id)}${range}`) }, name),
      element("a", { class: "away", title: "Leave this out", "aria-label": `Leave ${name} out` }, "×"),
      form,
      element("a", { class: "another", title: "Compare two ranges of its steps" }, "Another range"),
      element("span", { class: "note" }),
    );
  }

  /**
   * @param {HTMLElement} item
   * @param {ComparedRun} compared
   * @param {readonly Side[]} sides
   */
  #fill(item, { run, side, steps, times }, sides) {
    showReached(/** @type {HTMLInputElement} */ (find(item, "[name=Last]")), steps[1]);
    find(item, ".steps").dataset["reached"] = String(run.step);
    const at = placeOf(sides, side);
    const others = withAnotherRange(sides, at, run.step);
    setAttribute(find(item, ".away"), "href", this.linkOf(sides.filter((_, i) => i !== at)));
    const another = find(item, ".another");
    another.hidden = others === null;
    if (others !== null) setAttribute(another, "href", this.linkOf(others, "start"));
    const setBack = setBackAt(times);
    const clock = setBack === null ? "" : `; its clock was set back before step ${formatCount(setBack)}: by time, what passed meanwhile is not counted`;
    setText(find(item, ".note"), `${run.status}, step ${formatCount(run.step)}, started ${new Date(run.started * 1000).toLocaleString()}${clock}`);
  }

  /**
   * @param {Side} side
   * @param {readonly HTMLInputElement[]} inputs
   * @param {number} reached the run's latest step
   * @param {readonly Side[]} sides
   */
  #choose(side, inputs, reached, sides) {
    const given = inputs.map(({ value }) => Number(value.replaceAll(",", "")));
    const wrong = inputs[wrongStep(inputs.map(({ value }) => value), reached)] ?? null;
    for (const input of inputs) input.setCustomValidity(input === wrong ? `Give whole steps from 0 to ${formatCount(reached)}, the first before the last.` : "");
    if (wrong !== null) {
      wrong.reportValidity();
      wrong.addEventListener("input", () => wrong.setCustomValidity(""), { once: true });
      return;
    }
    /** @type {Side} */
    const chosen = { id: side.id, range: given[0] === 0 && given[1] >= reached ? null : [given[0], given[1]] };
    const at = placeOf(sides, side);
    this.onChoose(sides.map((each, i) => (i === at ? chosen : each)));
  }
}

/** @param {readonly Side[]} sides @param {Side} side */
function placeOf(sides, side) {
  return sides.findIndex((each) => sideText(each) === sideText(side));
}

/**
 * Have a field show the step that its run has come to, unless a person has written another.
 * @param {HTMLInputElement} field
 * @param {number} step
 */
function showReached(field, step) {
  if (field.value === field.dataset["shown"]) field.value = String(step);
  field.dataset["shown"] = String(step);
}
