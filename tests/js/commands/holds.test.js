import assert from "node:assert/strict";
import { test } from "node:test";

import { Holds } from "../../../static/commands/holds.js";

/** @returns {Storage} */
function storage() {
  const kept = new Map();
  return /** @type {Storage} */ (
    /** @type {unknown} */ ({
      getItem: (/** @type {string} */ key) => kept.get(key) ?? null,
      setItem: (/** @type {string} */ key, /** @type {string} */ value) => kept.set(key, value),
    })
  );
}

test("a page that was loaded anew holds what it held, of its own run", () => {
  const tab = storage();
  let told = 0;
  const holds = new Holds("one", tab);
  holds.onChange = () => (told += 1);
  assert.deepEqual(holds.commands, []);
  holds.add(12);
  holds.add(15);
  assert.equal(told, 2);
  assert.deepEqual(new Holds("one", tab).commands, [12, 15]);
  assert.deepEqual(new Holds("two", tab).commands, []);
});

test("no more are held than the server takes", () => {
  const holds = new Holds("one", storage());
  for (let command = 1; command <= 105; command += 1) holds.add(command);
  assert.equal(holds.commands.length, 100);
  assert.equal(holds.commands[0], 6);
});
