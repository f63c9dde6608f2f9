import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMAND, RequestGuard } from "../../../static/pages/request_guard.js";

class Place {
  textContent = "";
  /** @type {Map<string, string>} */
  attributes = new Map([["hidden", ""]]);
  /** @param {string} name @param {string} value */
  setAttribute = (name, value) => void this.attributes.set(name, value);
  /** @param {string} name */
  getAttribute = (name) => this.attributes.get(name) ?? null;
  /** @param {string} name */
  removeAttribute = (name) => void this.attributes.delete(name);

  /** What a person sees of it. */
  get shown() {
    return this.attributes.has("hidden") ? "" : this.textContent;
  }
}

function guarded(connected = true) {
  const places = { fetch: new Place(), command: new Place() };
  const live = { connected };
  const guard = new RequestGuard(/** @type {any} */ (places), live, () => {}, (again) => again());
  return { guard, live, ...places };
}

const works = async () => {};
/** @param {string} sentence */
const fails = (sentence) => async () => {
  throw new Error(sentence);
};

test("what could be read hides no failure of something else", async () => {
  const { guard, fetch } = guarded();
  await guard.run(fails("The server is busy"), "the heat map");
  await guard.run(works, "the lines");
  assert.equal(fetch.shown, "Could not read the heat map, trying again. The server is busy.");
  await guard.run(works, "the heat map");
  assert.equal(fetch.shown, "");
});

test("what fails alike is said in one sentence, what fails otherwise in its own", async () => {
  const { guard, fetch } = guarded();
  await guard.run(fails("Busy."), "the heat map");
  await guard.run(fails("Gone."), "the events");
  await guard.run(fails("Busy."), "the lines");
  assert.equal(
    fetch.shown,
    "Could not read the heat map, the lines, trying again. Busy. Could not read the events, trying again. Gone.",
  );
});

test("commands have a place of their own", async () => {
  const { guard, fetch, command } = guarded();
  await guard.run(fails("Refused."), COMMAND);
  await guard.run(works, "the lines");
  assert.deepEqual([fetch.shown, command.shown], ["", "Refused."]);
  await guard.run(works, COMMAND);
  assert.equal(command.shown, "");
});

test("without a connection nothing more is said", async () => {
  const { guard, fetch } = guarded(false);
  await guard.run(fails("Unreachable."), "the lines");
  assert.equal(fetch.shown, "");
});

test("what is insisted upon is asked again until it succeeds, or the connection is lost", async () => {
  const { guard, live, fetch } = guarded();
  let asked = 0;
  await guard.insist(async () => {
    asked += 1;
    if (asked < 3) throw new Error("Busy.");
  }, "the parameters");
  assert.deepEqual([asked, fetch.shown], [3, ""]);
  await guard.insist(async () => {
    asked += 1;
    if (asked === 5) live.connected = false;
    throw new Error("Unreachable.");
  }, "the parameters");
  assert.deepEqual([asked, fetch.shown], [5, ""]);
});
