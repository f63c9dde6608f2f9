/**
 * The part of the question that the job fills in: warnings first, then what is touched.
 *
 * @typedef {import("./freeze_preview.js").Touched} Touched
 * @typedef {import("../wire.js").Preview} Preview
 */
import { element, setAttribute } from "../base/dom.js";
import { tick } from "../base/glyphs.js";
import { prose } from "../base/prose.js";
import { stateGlyph } from "../model/state_glyph.js";
import { stateCode } from "../model/states.js";
import { factsOf } from "./freeze_preview.js";

export class PreviewView {
  /** @param {HTMLElement} region a polite live region */
  constructor(region) {
    this.region = region;
  }

  /**
   * The job is being asked; until it answers, this is what the page knows.
   * @param {Touched} known
   */
  ask(known) {
    setAttribute(this.region, "aria-busy", "true");
    this.region.replaceChildren(note("verdict muted", "Asking the job …"), facts(known, "…"));
  }

  /** @param {Preview} preview */
  show(preview) {
    const { warnings } = preview;
    this.#fill(warnings.length === 0 ? calm() : list(warnings), facts(preview, ""));
  }

  /** @param {string} sentence why the job would reject it */
  refuse(sentence) {
    this.#fill(note("verdict refused", sentence, stateGlyph(stateCode("nonfinite"))));
  }

  /**
   * The job did not say.
   * @param {string} sentence
   * @param {Touched} known
   */
  silent(sentence, known) {
    this.#fill(note("verdict silent", sentence), facts(known, "not known"));
  }

  /** @param {...HTMLElement} parts */
  #fill(...parts) {
    this.region.replaceChildren(...parts);
    setAttribute(this.region, "aria-busy", null);
  }
}

/**
 * @param {string} names of classes
 * @param {string} sentence
 * @param {...Node} before
 */
function note(names, sentence, ...before) {
  return element("p", { class: names }, ...before, element("span", {}, ...prose(sentence)));
}

function calm() {
  return note("verdict calm", "No warnings", tick());
}

/** @param {readonly string[]} warnings */
function list(warnings) {
  const items = warnings.map((sentence) =>
    element("li", {}, stateGlyph(stateCode("nonfinite")), element("span", {}, ...prose(sentence))),
  );
  return element("ul", { class: "warnings", "aria-label": "Warnings" }, ...items);
}

/**
 * @param {Touched} touched
 * @param {string} unknown
 */
function facts(touched, unknown) {
  const rows = factsOf(touched, unknown).flatMap(({ term, value, full }) => [
    element("dt", {}, term),
    element("dd", full === undefined ? {} : { title: full }, value),
  ]);
  return element("dl", { class: "touches" }, ...rows);
}
