/**
 * Is the first button of the mouse, a finger or a pen down? What is drawn by itself meanwhile could take away what is
 * pressed: a click is given to what was there both at the press and at the release. Charts take presses as
 * gestures, which are drawn as they go.
 */
const CHARTS = '[role="application"]';

export class Press {
  /** @param {() => void} onEnd */
  constructor(onEnd) {
    this.held = false;
    const begin = (/** @type {PointerEvent} */ { target, button, ctrlKey }) => {
      this.held = button === 0 && !ctrlKey && target instanceof Element && target.closest(CHARTS) === null;
    };
    const end = () => {
      if (!this.held) return;
      this.held = false;
      onEnd();
    };
    document.addEventListener("pointerdown", begin, { capture: true });
    document.addEventListener("pointerup", end, { capture: true });
    document.addEventListener("pointercancel", end, { capture: true });
    // A release of which the page is not told: over a menu of the browser's, or outside of the window.
    document.addEventListener("contextmenu", end, { capture: true });
    document.addEventListener("pointermove", ({ buttons }) => buttons === 0 && end(), { capture: true, passive: true });
    window.addEventListener("blur", end);
  }
}
