/** Small helpers over the DOM; text is always set as text. */
import { splitTail } from "../lib/format.js";
import { stateOf } from "../lib/states.js";
import { visible } from "../lib/visible.js";

const SVG = "http://www.w3.org/2000/svg";
const SNOWFLAKE = "M8 1.5V14.5M2.4 4.75L13.6 11.25M13.6 4.75L2.4 11.25M6 2.2L8 4L10 2.2M6 13.8L8 12L10 13.8";

/**
 * The element with an id, of a known type.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function byId(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`no ${type.name} with id ${id}`);
  return found;
}

/**
 * The first element inside another that a selector finds.
 * @param {ParentNode} parent
 * @param {string} selector
 * @returns {HTMLElement}
 */
export function find(parent, selector) {
  const found = parent.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`nothing here matches ${selector}`);
  return found;
}

/**
 * @param {string} tag
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/**
 * Set text only where it differs, so that an unchanged page costs no layout.
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Set an attribute only where it differs; null takes it away.
 * @param {Element} target
 * @param {string} name
 * @param {string | null} value
 */
export function setAttribute(target, name, value) {
  if (value === null) target.removeAttribute(name);
  else if (target.getAttribute(name) !== value) target.setAttribute(name, value);
}

/**
 * @param {string} path
 * @param {boolean} filled
 */
function glyph(path, filled) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "glyph");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(SVG, "path");
  shape.setAttribute("d", path);
  shape.setAttribute("fill", filled ? "currentColor" : "none");
  shape.setAttribute("stroke", "currentColor");
  svg.append(shape);
  return svg;
}

/**
 * The glyph of a state, in the state's colour.
 * @param {number} code
 */
export function stateGlyph(code) {
  const state = stateOf(code);
  const svg = glyph(state.path, state.filled);
  svg.style.color = `var(--state-${state.name})`;
  svg.dataset["state"] = state.name;
  return svg;
}

export function snowflake() {
  return glyph(SNOWFLAKE, false);
}

/** A crossed box: a gate. */
export function gateGlyph() {
  return glyph("M3 3H13V13H3zM3 3L13 13M3 13L13 3", false);
}

export function chevron() {
  const svg = glyph("M6 4L10 8L6 12", false);
  svg.setAttribute("class", "chevron");
  return svg;
}

/** A tick in a circle: no trouble. */
export function tick() {
  return glyph("M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12zM5.2 8.2L7.2 10.2L10.8 6", false);
}

/**
 * The number of a line, in the line's colour.
 * @param {{color: string, mark: string}} line
 */
export function lineBadge({ color, mark }) {
  const badge = element("span", { class: "badge", "aria-hidden": "true" }, mark);
  badge.style.background = color;
  return badge;
}

/**
 * A name that is shortened before its end, with the whole of it as its title; nothing in it is hidden.
 * @param {HTMLElement} target an element of class `name`
 * @param {string} label what is shown
 * @param {string} [full] the whole name
 */
export function setName(target, label, full = label) {
  const shown = visible(label);
  const title = visible(full);
  if (target.title === title && target.textContent === shown) return;
  const [head, tail] = splitTail(shown);
  target.title = title;
  target.replaceChildren(
    element("span", { class: "head" }, head),
    element("span", { class: "tail" }, tail),
  );
}
