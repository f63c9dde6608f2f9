import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { LiveConnection } from "../../../static/link/live_connection.js";

/** A socket that does what the test says. */
class FakeSocket extends EventTarget {
  closed = false;
  readyState = 0;
  /** @type {unknown[]} */
  sent = [];

  /** @param {string} data */
  send(data) {
    this.sent.push(JSON.parse(data));
  }

  close() {
    this.closed = true;
  }

  /** @param {unknown} data */
  say(data) {
    this.dispatchEvent(new MessageEvent("message", { data }));
  }

  opens() {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }

  /** @param {number} [code] @param {string} [reason] */
  drops(code = 1006, reason = "") {
    this.dispatchEvent(Object.assign(new Event("close"), { code, reason }));
  }
}

/**
 * A connection over fake sockets, with time that the test turns and no spread in its pauses.
 * @param {import("node:test").TestContext} context
 */
function connection(context) {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  context.mock.method(Math, "random", () => 0.5);
  Object.assign(globalThis, { location: new URL("http://dashboard:8765/runs/a") });
  /** @type {FakeSocket[]} */
  const sockets = [];
  /** @type {string[]} */
  const told = [];
  const live = new LiveConnection("/api/runs/a/live", () => {
    sockets.push(new FakeSocket());
    return /** @type {any} */ (sockets[sockets.length - 1]);
  });
  live.open({
    onMessage: (message) => told.push(`message ${message.type}`),
    onFrame: (frame) => told.push(`frame of ${frame.byteLength}`),
    onOpen: () => told.push("open"),
    onLost: (reason) => told.push(`lost ${reason}`.trim()),
  });
  return { live, sockets, told, latest: () => sockets[sockets.length - 1] };
}

test("the address is the page's own server, by a socket", (context) => {
  assert.equal(connection(context).live.url, "ws://dashboard:8765/api/runs/a/live");
});

test("the connection stands once the server has spoken, not when the socket is open", (context) => {
  const { live, latest, told } = connection(context);
  latest().opens();
  assert.equal(live.connected, false);
  latest().say('{"type": "parameters"}');
  latest().say(new ArrayBuffer(8));
  assert.equal(live.connected, true);
  assert.deepEqual(told, ["message parameters", "open", "frame of 8"]);
});

test("each try to reconnect waits twice as long as the one before", (context) => {
  const { sockets, latest } = connection(context);
  for (const pause of [250, 500, 1000, 2000, 4000, 5000, 5000]) {
    const tries = sockets.length;
    latest().drops();
    context.mock.timers.tick(pause - 1);
    assert.equal(sockets.length, tries, `no try before ${pause} ms`);
    context.mock.timers.tick(1);
    assert.equal(sockets.length, tries + 1, `a try after ${pause} ms`);
  }
});

test("once the server has spoken again, the pauses begin anew", (context) => {
  const { live, sockets, latest } = connection(context);
  latest().drops();
  context.mock.timers.tick(250);
  latest().drops();
  context.mock.timers.tick(500);
  assert.ok(live.lostFor !== null);
  latest().opens();
  latest().say('{"type": "parameters"}');
  assert.equal(live.lostFor, null);
  latest().drops();
  context.mock.timers.tick(250);
  assert.equal(sockets.length, 4);
});

test("silence is a lost connection, and every word puts it off", (context) => {
  const { live, latest, told } = connection(context);
  latest().opens();
  latest().say('{"type": "parameters"}');
  context.mock.timers.tick(7999);
  latest().say('{"type": "parameters"}');
  context.mock.timers.tick(7999);
  assert.equal(live.connected, true);
  context.mock.timers.tick(1);
  assert.equal(live.connected, false);
  assert.equal(latest().closed, true);
  assert.equal(told.at(-1), "lost");
});

test("a silence that the timer has slept through is a lost connection, as long as the sleep", (context) => {
  const { live, latest, told } = connection(context);
  latest().opens();
  latest().say('{"type": "parameters"}');
  live.dropIfSilent();
  assert.equal(live.connected, true);
  const woken = Date.now() + 28_800_000;
  context.mock.method(Date, "now", () => woken);
  live.dropIfSilent();
  assert.equal(told.at(-1), "lost");
  assert.equal(Math.round(live.lostFor ?? 0), 28_800);
});

test("a socket that never opens is given up, and tried again", (context) => {
  const { sockets, told } = connection(context);
  context.mock.timers.tick(8000);
  assert.deepEqual(told, ["lost"]);
  context.mock.timers.tick(250);
  assert.equal(sockets.length, 2);
});

test("a socket that was given up is not lost a second time", (context) => {
  const { sockets, told } = connection(context);
  sockets[0].drops();
  sockets[0].drops();
  context.mock.timers.tick(250);
  sockets[0].drops();
  assert.deepEqual(told, ["lost"]);
  assert.equal(sockets.length, 2);
});

test("a refusal comes with the server's own sentence, another end without", (context) => {
  const { latest, told } = connection(context);
  latest().drops(1008, "no such run");
  context.mock.timers.tick(250);
  latest().drops(1001, "going away");
  assert.deepEqual(told, ["lost no such run", "lost"]);
});

test.after(() => mock.restoreAll());

test("what the page shows is said once, and again to a server that came back", (context) => {
  const { live, latest } = connection(context);
  /** @type {import("../../../static/wire.js").Watch} */
  const first = { type: "watch", topics: ["samples"] };
  /** @type {import("../../../static/wire.js").Watch} */
  const second = { type: "watch", topics: [] };
  live.watch(first);
  assert.deepEqual(latest().sent, []);
  latest().opens();
  live.watch(first);
  live.watch(second);
  assert.deepEqual(latest().sent, [first, second]);
  latest().drops();
  context.mock.timers.tick(5000);
  latest().opens();
  assert.deepEqual(latest().sent, [second]);
});

test("a page that says nothing of what it shows sends nothing", (context) => {
  const { latest } = connection(context);
  latest().opens();
  assert.deepEqual(latest().sent, []);
});
