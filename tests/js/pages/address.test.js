import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { Address } from "../../../static/pages/address.js";

/** @type {string[]} */
let entries = [];

beforeEach(() => {
  entries = ["/runs/a"];
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  mock.method(performance, "now", () => 1000);
  Object.assign(globalThis, {
    location: { pathname: "/runs/a", search: "" },
    history: {
      pushState: (/** @type {null} */ _state, /** @type {string} */ _title, /** @type {string} */ address) => entries.push(address),
      replaceState: (/** @type {null} */ _state, /** @type {string} */ _title, /** @type {string} */ address) => entries.splice(-1, 1, address),
    },
  });
});

test("of what is typed in one go the first letter is written at once, and the last a little later", () => {
  const address = new Address();
  for (const typed of ["w", "we", "wei"]) address.type(`/runs/a?filter=${typed}`);
  assert.deepEqual(entries, ["/runs/a?filter=w"]);
  mock.timers.tick(250);
  assert.deepEqual(entries, ["/runs/a?filter=wei"]);
});

test("what was typed is written before the next thing that Back undoes", () => {
  const address = new Address();
  for (const typed of ["w", "we"]) address.type(`/runs/a?filter=${typed}`);
  address.push("/runs/a?filter=we&tab=metrics");
  mock.timers.tick(250);
  assert.deepEqual(entries, ["/runs/a?filter=we", "/runs/a?filter=we&tab=metrics"]);
});

test("what was typed does not go into the address that Back has turned to", () => {
  const address = new Address();
  for (const typed of ["w", "we"]) address.type(`/runs/a?filter=${typed}`);
  entries.pop();
  address.turn();
  mock.timers.tick(250);
  assert.deepEqual(entries, []);
});

test("a view that is in the address already is no new entry", () => {
  new Address().push("/runs/a");
  assert.deepEqual(entries, ["/runs/a"]);
});

/** @param {number} ms */
function later(ms) {
  const then = performance.now() + ms;
  mock.method(performance, "now", () => then);
}

test("a movement is one entry, but not over another entry, nor after Back", () => {
  const address = new Address();
  address.move("/runs/a?from=1&to=9", "heatmap in");
  address.move("/runs/a?from=2&to=8", "heatmap in");
  assert.deepEqual(entries, ["/runs/a", "/runs/a?from=2&to=8"]);
  address.push("/runs/a?from=2&to=8&tab=metrics");
  address.move("/runs/a?from=3&to=7&tab=metrics", "heatmap in");
  assert.equal(entries.length, 4);
  entries.pop();
  address.turn();
  address.move("/runs/a?from=4&to=6&tab=metrics", "heatmap in");
  assert.deepEqual(entries.slice(2), ["/runs/a?from=2&to=8&tab=metrics", "/runs/a?from=4&to=6&tab=metrics"]);
});

test("no view is lost to another chart's movement, to another way, or to steps that are chosen as they are", () => {
  const address = new Address();
  const views = [
    ["/runs/a?from=100&to=900", "heatmap in"],
    ["/runs/a?from=200&to=800", "lines in"],
    ["/runs/a?from=100&to=800", "lines out"],
    ["/runs/a?from=300&to=310", null],
    ["/runs/a?from=300&to=320", "lines out"],
    ["/runs/a?whole", null],
    ["/runs/a?from=0&to=900", "lines in"],
  ];
  for (const [view, movement] of views) address.move(String(view), movement);
  assert.deepEqual(entries, ["/runs/a", ...views.map(([view]) => view)]);
});

test("a movement goes on for a while after its latest part, and one that leads nowhere is no part of it", () => {
  const address = new Address();
  address.move("/runs/a?from=1&to=9", "lines in");
  later(1100);
  address.move("/runs/a?from=2&to=8", "lines in");
  later(1100);
  Object.assign(location, { search: "?from=2&to=8" });
  address.move("/runs/a?from=2&to=8", "lines in");
  later(200);
  address.move("/runs/a?from=3&to=7", "lines in");
  assert.deepEqual(entries, ["/runs/a", "/runs/a?from=2&to=8", "/runs/a?from=3&to=7"]);
});

test("a movement that leads nowhere does not let the next go over what was before", () => {
  const address = new Address();
  address.move("/runs/a", "lines in");
  address.move("/runs/a?from=1&to=9", "lines in");
  assert.deepEqual(entries, ["/runs/a", "/runs/a?from=1&to=9"]);
});
