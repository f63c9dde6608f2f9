/**
 * Runs the page's requests. What one says when it fails is shown until one of its kind succeeds.
 *
 * @typedef {"fetch" | "command"} RequestKind
 */
import { setAttribute, setText } from "../base/dom.js";

export class RequestGuard {
  /**
   * @param {Readonly<Record<RequestKind, HTMLElement>>} failures where they are shown
   * @param {{connected: boolean}} live without a connection the banner says all there is to say
   * @param {() => void} onEnd a request has ended, well or not
   */
  constructor(failures, live, onEnd) {
    this.failures = failures;
    this.live = live;
    this.onEnd = onEnd;
  }

  /**
   * @param {() => Promise<void>} request
   * @param {RequestKind} [kind]
   */
  async run(request, kind = "fetch") {
    try {
      await request();
      setAttribute(this.failures[kind], "hidden", "");
    } catch (error) {
      if (this.live.connected) this.fail(error instanceof Error ? error.message : String(error), kind);
    }
    this.onEnd();
  }

  /**
   * @param {string} sentence
   * @param {RequestKind} kind
   */
  fail(sentence, kind) {
    setText(this.failures[kind], sentence);
    this.failures[kind].hidden = false;
  }
}
