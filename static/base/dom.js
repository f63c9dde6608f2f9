/** Small helpers over the DOM; text is always set as text. */
import { splitTail } from "./format.js";
import { visible } from "./visible.js";

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
 * Have a list hold these in order; what is there stays where it is, so that nothing that is looked at moves.
 * @param {HTMLElement} list
 * @param {readonly HTMLElement[]} items
 */
export function arrange(list, items) {
  const wanted = new Set(items);
  for (const child of [...list.children]) if (!(child instanceof HTMLElement && wanted.has(child))) child.remove();
  let next = list.firstElementChild;
  for (const item of items) {
    if (item === next) next = next.nextElementSibling;
    else list.insertBefore(item, next);
  }
}

/**
 * Bring an item of a list into sight, and the focus to it.
 * @param {HTMLElement} item
 */
export function goToItem(item) {
  item.scrollIntoView({ block: "nearest" });
  item.tabIndex = -1;
  item.focus({ preventScroll: true });
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
