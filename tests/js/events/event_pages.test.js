/** The pages of events: what is listed, what is fetched, and what comes live. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { EventPages, MOST, PAGE } from "../../../static/events/event_pages.js";
import { event } from "../support/events.js";

const ALL = Object.freeze({ kind: "", level: "", text: "", dismissed: false });

/**
 * Pages of a server that has events up to `last`, and the queries that came to it.
 * @param {number} last
 */
function served(last) {
  /** @type {string[]} */
  const queries = [];
  const server = { last, queries, fails: false };
  const fetchPage = async (/** @type {string} */ query) => {
    queries.push(query);
    if (server.fails) throw new Error("The server cannot be reached");
    const before = Number(new URLSearchParams(query).get("before") ?? server.last + 1);
    return Array.from({ length: Math.min(PAGE, before - 1) }, (_, i) => event(before - 1 - i));
  };
  const guard = async (/** @type {() => Promise<void>} */ request) => request().catch(() => undefined);
  return { server, pages: new EventPages(fetchPage, { guard, onChange: () => undefined }) };
}

/** @param {EventPages} pages */
const ids = ({ rows }) => rows.map(({ id }) => id);

test("the latest are fetched first, older ones when they are asked for, until there are none", async () => {
  const { server, pages } = served(150);
  await pages.show(ALL);
  assert.deepEqual([pages.rows.length, ids(pages)[0], pages.complete], [100, 150, false]);
  await pages.more();
  assert.deepEqual([pages.rows.length, ids(pages).at(-1), pages.complete], [150, 1, true]);
  await pages.more();
  assert.deepEqual(server.queries, ["limit=100&dismissed=false", "limit=100&dismissed=false&before=51"]);
});

test("the server is asked for what the filter wants, once", async () => {
  const { server, pages } = served(3);
  const filter = { kind: "spike", level: "alert", text: "a&b", dismissed: true };
  await pages.show(filter);
  await pages.show({ ...filter });
  assert.deepEqual(server.queries, ["limit=100&dismissed=true&kind=spike&level=alert&text=a%26b"]);
});

test("what happens is listed at once when it passes the filter, and what is dismissed goes", async () => {
  const { pages } = served(3);
  await pages.show({ ...ALL, kind: "spike" });
  pages.take([event(3), event(4), event(5, { kind: "dead" })]);
  assert.deepEqual(ids(pages), [4, 3, 2, 1]);
  pages.take([event(2, { dismissed: 9 })]);
  assert.deepEqual(ids(pages), [4, 3, 1]);
});

test("a change of what is older than what is listed makes no hole in the list", async () => {
  const { pages } = served(500);
  await pages.show(ALL);
  pages.take([event(7)]);
  assert.equal(ids(pages).at(-1), 401);
});

test("what is told while an answer is under way counts more than the answer", async () => {
  const { pages } = served(3);
  const shown = pages.show(ALL);
  pages.take([event(3, { dismissed: 9 }), event(4)]);
  await shown;
  assert.deepEqual(ids(pages), [4, 2, 1]);
});

test("after more has happened than was told, the list is fetched anew", async () => {
  const { server, pages } = served(150);
  await pages.show(ALL);
  pages.take([event(150)]);
  server.last = 600;
  pages.take([event(599), event(600)]);
  await new Promise(setImmediate);
  assert.deepEqual([ids(pages)[0], ids(pages).at(-1)], [600, 501]);
});

test("what could not be fetched is fetched when the server is heard again", async () => {
  const { server, pages } = served(3);
  server.fails = true;
  await pages.show(ALL);
  assert.deepEqual([ids(pages), pages.loading], [[], false]);
  server.fails = false;
  pages.take([event(3)]);
  await new Promise(setImmediate);
  assert.deepEqual(ids(pages), [3, 2, 1]);
});

test("a bounded number is listed", async () => {
  const { server, pages } = served(MOST + 500);
  await pages.show(ALL);
  for (let i = 0; i < 30; i += 1) await pages.more();
  assert.deepEqual([pages.rows.length, server.queries.length, pages.full], [MOST, MOST / PAGE, true]);
  pages.take([event(MOST + 501)]);
  assert.deepEqual([pages.rows.length, ids(pages)[0], ids(pages).at(-1)], [MOST, MOST + 501, 502]);
});
