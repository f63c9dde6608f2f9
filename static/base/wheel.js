/**
 * The wheel over a chart, as what a person means by it: sideways, or with Shift, it moves along, else it zooms.
 *
 * @typedef {object} WheelActions
 * @property {(factor: number, event: WheelEvent) => boolean} zoom was there anything to zoom?
 * @property {(distance: number) => void} pan px to the right
 */
const ZOOM_PER_PX = 0.0022;
const LINE_PX = 24;
/** Turns that are closer together are one: whoever zooms out further than there is does not want to scroll. */
const ONE_TURN_MS = 500;

/**
 * Follow the wheel; the page scrolls where a turn begins with nothing to zoom. With Ctrl the browser never scales the page.
 * @param {HTMLElement} place
 * @param {WheelActions} actions
 */
export function followWheel(place, { zoom, pan }) {
  let zoomedAt = -Infinity;
  /** @param {WheelEvent} event */
  const turn = (event) => {
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PX : 1;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      pan((event.shiftKey ? event.deltaX || event.deltaY : event.deltaX) * unit);
      return;
    }
    const goesOn = event.timeStamp - zoomedAt < ONE_TURN_MS;
    const zooms = zoom(Math.exp(event.deltaY * unit * ZOOM_PER_PX), event);
    if (zooms || goesOn) zoomedAt = event.timeStamp;
    if (zooms || goesOn || event.ctrlKey) event.preventDefault();
  };
  place.addEventListener("wheel", turn, { passive: false });
}
