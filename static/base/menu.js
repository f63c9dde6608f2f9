/** A menu, as a popover, below the button that opens it. */

const GAP = 4;

/**
 * Have a menu open below its button, with its right edge there, and close once something is chosen.
 * @param {HTMLElement} menu a popover
 * @param {HTMLElement} button its `popovertarget` is the menu
 */
export function placeMenu(menu, button) {
  menu.addEventListener("toggle", () => {
    const { bottom, right } = button.getBoundingClientRect();
    menu.style.top = `${bottom + GAP}px`;
    menu.style.left = `${Math.max(GAP, right - menu.offsetWidth)}px`;
  });
  menu.addEventListener("click", () => menu.hidePopover());
  // Before any other listener: what is behind the menu stays open.
  const close = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || !menu.matches(":popover-open")) return;
    event.preventDefault();
    menu.hidePopover();
    button.focus();
  };
  document.addEventListener("keydown", close, { capture: true });
}
