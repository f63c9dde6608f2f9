/**
 * Runs the page's requests, and shows why one fails until the same is asked for with success.
 *
 * What is fetched is told apart by what it is for, such as "the heat map": that another is there says nothing of it.
 * Commands have a place of their own.
 */
import { setAttribute, setText } from "../base/dom.js";
import { reasonOf } from "../link/api.js";

/** What is asked for by every command. */
export const COMMAND = "command";
const RETRY_MS = 2000;

export class RequestGuard {
  /** @type {Map<string, string>} sentences by what was fetched for */
  #failures = new Map();

  /**
   * @param {Readonly<Record<"fetch" | "command", HTMLElement>>} places where failures are shown
   * @param {{connected: boolean}} live without a connection the banner says all there is to say
   * @param {() => void} onEnd a request has ended, well or not
   * @param {(again: () => void, ms: number) => unknown} [later]
   */
  constructor(places, live, onEnd, later = (again, ms) => setTimeout(again, ms)) {
    this.places = places;
    this.live = live;
    this.onEnd = onEnd;
    this.later = later;
  }

  /**
   * Run a request once.
   * @param {() => Promise<void>} request
   * @param {string} asked what it is for, or `COMMAND`
   * @returns {Promise<boolean>} did it succeed?
   */
  async run(request, asked) {
    const failure = await failureOf(request);
    if (failure === null) this.#forget(asked);
    else if (this.live.connected) this.fail(failure, asked);
    this.onEnd();
    return failure === null;
  }

  /**
   * Run a request until it succeeds; once the connection is lost, whoever needs it asks again.
   * @param {() => Promise<void>} request
   * @param {string} asked
   */
  async insist(request, asked) {
    while (!(await this.run(request, asked)) && this.live.connected) {
      await new Promise((resolve) => this.later(() => resolve(null), RETRY_MS));
    }
    this.#forget(asked);
  }

  /**
   * @param {string} sentence
   * @param {string} asked
   */
  fail(sentence, asked) {
    if (asked === COMMAND) show(this.places.command, sentence);
    else {
      this.#failures.set(asked, sentence);
      this.#showFailures();
    }
  }

  /** It failed no more, or nobody waits for it. @param {string} asked */
  #forget(asked) {
    if (asked === COMMAND) show(this.places.command, "");
    else if (this.#failures.delete(asked)) this.#showFailures();
  }

  #showFailures() {
    const sentences = [...new Set(this.#failures.values())].map((sentence) => {
      const asked = [...this.#failures].filter(([, each]) => each === sentence).map(([each]) => each);
      return `Could not read ${asked.join(", ")}, trying again. ${sentence.replace(/\.?$/, ".")}`;
    });
    show(this.places.fetch, sentences.join(" "));
  }
}

/**
 * @param {() => Promise<void>} request
 * @returns {Promise<string | null>} the sentence of its failure
 */
async function failureOf(request) {
  try {
    await request();
    return null;
  } catch (error) {
    return reasonOf(error);
  }
}

/**
 * @param {HTMLElement} place
 * @param {string} sentence "" for none
 */
function show(place, sentence) {
  if (sentence !== "") setText(place, sentence);
  setAttribute(place, "hidden", sentence === "" ? "" : null);
}
