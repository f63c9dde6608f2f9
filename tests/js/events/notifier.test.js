/** Notifications: asked for by a click, of alerts alone, and only while nobody looks at the page. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { noticeOf, Notifier } from "../../../static/events/notifier.js";
import { event } from "../support/events.js";

/** The parts of an element that a notifier uses. */
class FakeElement extends EventTarget {
  constructor() {
    super();
    /** @type {Map<string, string>} */
    this.attributes = new Map();
    this.textContent = "";
    this.hidden = true;
  }

  /** @param {string} name @param {string} value */
  setAttribute(name, value) {
    this.attributes.set(name, value);
  }

  /** @param {string} name */
  getAttribute(name) {
    return this.attributes.get(name) ?? null;
  }
}

beforeEach(() => void Object.assign(globalThis, { location: { pathname: "/runs/a" } }));
afterEach(() => void Reflect.deleteProperty(globalThis, "location"));

/**
 * A notifier in a browser that answers so when it is asked for permission; undefined: it has no notifications.
 * @param {NotificationPermission | undefined} answer
 */
function notifier(answer) {
  /** @type {string[]} */
  const told = [];
  class Notices {
    /** @type {NotificationPermission} */
    static permission = "default";
    static async requestPermission() {
      Notices.permission = /** @type {NotificationPermission} */ (answer);
      return Notices.permission;
    }

    /** @param {string} title @param {NotificationOptions} options */
    constructor(title, { body }) {
      told.push(`${title}: ${body}`);
      this.onclick = null;
    }
  }
  const kept = new Map();
  const storage = { getItem: (/** @type {string} */ key) => kept.get(key) ?? null, setItem: kept.set.bind(kept), removeItem: kept.delete.bind(kept) };
  const [button, note] = [new FakeElement(), new FakeElement()];
  const made = new Notifier(/** @type {any} */ ({ button, note }), () => undefined, answer && /** @type {any} */ (Notices), /** @type {any} */ (storage));
  const click = async () => {
    button.dispatchEvent(new Event("click"));
    await new Promise(setImmediate);
  };
  return { made, told, click, button, note };
}

test("new alerts are told while nobody looks, once, and nothing that was there before", async () => {
  const { made, told, click, button } = notifier("granted");
  await click();
  assert.equal(button.getAttribute("aria-checked"), "true");
  made.take([event(2), event(1)], "digits", true);
  made.take([event(3, { sentence: "It rose." }), event(4, { level: "note" }), event(5, { dismissed: 1 })], "digits", true);
  made.take([event(3)], "digits", true);
  assert.deepEqual(told, ["digits: spike at step 3: It rose."]);
  made.take([event(6)], "digits", false);
  await click();
  made.take([event(7)], "digits", true);
  assert.deepEqual([told.length, button.getAttribute("aria-checked")], [1, "false"]);
});

test("a browser that refuses, or cannot, leaves the switch off and says so", async () => {
  for (const [answer, said] of /** @type {const} */ ([["denied", /refuses/], ["default", /no answer/], [undefined, /shows no notifications here/]])) {
    const { made, told, click, button, note } = notifier(answer);
    await click();
    assert.match(note.textContent, said);
    assert.equal(button.getAttribute("aria-checked"), "false");
    made.take([], "digits", true);
    made.take([event(1)], "digits", true);
    assert.deepEqual(told, []);
  }
});

test("several at once are one notification", () => {
  const { title, body } = noticeOf("digits", [event(3, { sentence: "It rose." }), event(4), event(5)]);
  assert.deepEqual([title, body], ["digits: spike at step 3", "It rose. And 2 more alerts."]);
});
