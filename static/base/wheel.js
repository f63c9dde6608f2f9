/**
 * The wheel over a chart, as what a person means by it: sideways, or with Shift, it moves along, else it zooms.
 *
 * @typedef {object} WheelActions
 * @property {(factor: number, event: WheelEvent) => boolean} zoom was there anything to zoom?
 * @property {(distance: number) => void} pan px to the right
 */
const ZOOM_PER_PX = 0.0022;
const LINE_PX = 24;

/**
 * Follow the wheel; scrolling the page goes on where there is nothing to zoom. With Ctrl the browser never scales the page.
 * @param {HTMLElement} place
 * @param {WheelActions} actions
 */
export function followWheel(place, actions) {
  place.addEventListener("wheel", (event) => turn(event, actions), { passive: false });
}

/**
 * @param {WheelEvent} event
 * @param {WheelActions} actions
 */
function turn(event, { zoom, pan }) {
  const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PX : 1;
  const sideways = event.shiftKey ? event.deltaX || event.deltaY : event.deltaX;
  if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    event.preventDefault();
    pan(sideways * unit);
  } else if (zoom(Math.exp(event.deltaY * unit * ZOOM_PER_PX), event) || event.ctrlKey) event.preventDefault();
}
