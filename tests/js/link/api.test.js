import assert from "node:assert/strict";
import { test } from "node:test";

import { deleteAt, getColumns, getJson, patchJson, postJson, Refusal } from "../../../static/link/api.js";
import { packColumns } from "../support/columns.js";

/**
 * A server that gives one answer, and keeps what it was asked.
 * @param {import("node:test").TestContext} context
 * @param {number} status
 * @param {unknown} body JSON, or a text
 */
function server(context, status, body) {
  const json = typeof body !== "string";
  const headers = { "Content-Type": json ? "application/json" : "text/html" };
  return context.mock.method(globalThis, "fetch", async () => new Response(json ? JSON.stringify(body) : body, { status, headers }));
}

test("an answer is its JSON", async (context) => {
  server(context, 200, { runs: [] });
  assert.deepEqual(await getJson("/api/runs"), { runs: [] });
});

test("columns are asked for by their type, and read", async (context) => {
  const packed = packColumns([{ name: "states", type: "u8", length: 2, data: Uint8Array.of(1, 4) }]);
  const asked = context.mock.method(globalThis, "fetch", async () => new Response(packed));
  const { states } = await getColumns("/api/runs/a/parameters");
  assert.deepEqual([...states], [1, 4]);
  const [, options] = /** @type {any} */ (asked.mock.calls[0]).arguments;
  assert.equal(options.headers.Accept, "application/vnd.gradgate.columns");
});

test("what is refused in place of columns is said in its own sentence", async (context) => {
  server(context, 404, { detail: "there is no such run" });
  await assert.rejects(getColumns("/x"), { message: "there is no such run" });
});

test("a body is sent as JSON", async (context) => {
  const asked = server(context, 201, { id: 1 });
  assert.deepEqual(await postJson("/api/runs/a/commands", { kind: "freeze" }), { id: 1 });
  const [path, options] = /** @type {any} */ (asked.mock.calls[0].arguments);
  assert.deepEqual([path, options.method, options.body], ["/api/runs/a/commands", "POST", '{"kind":"freeze"}']);
  assert.equal(options.headers["Content-Type"], "application/json");
});

for (const status of [409, 422]) {
  test(`what is understood and would not be done is a refusal: ${status}`, async (context) => {
    server(context, status, { detail: "the run has finished" });
    await assert.rejects(postJson("/x", {}), (error) => error instanceof Refusal && error.message === "the run has finished");
  });
}

test("a list of problems is one sentence", async (context) => {
  server(context, 422, { detail: [{ msg: "no target" }, { msg: "no kind" }] });
  await assert.rejects(postJson("/x", {}), { message: "no target; no kind" });
});

test("another failure is an error and no refusal, with the server's sentence where it gives one", async (context) => {
  server(context, 404, { detail: "no such run" });
  await assert.rejects(getJson("/x"), (error) => !(error instanceof Refusal) && /** @type {Error} */ (error).message === "no such run");
});

test("a failure without a sentence names the path and the status", async (context) => {
  server(context, 502, "<h1>Bad gateway</h1>");
  await assert.rejects(getJson("/api/runs"), { message: "/api/runs: the server answered 502" });
});

test("a server that is not there is said in words", async (context) => {
  context.mock.method(globalThis, "fetch", async () => {
    throw new TypeError("fetch failed");
  });
  await assert.rejects(getJson("/api/runs"), { message: "The server cannot be reached" });
});

test("a change is a PATCH, and a deletion wants no answer but says why it was refused", async (context) => {
  const asked = server(context, 200, { name: "best" });
  assert.deepEqual(await patchJson("/api/runs/a", { name: "best" }), { name: "best" });
  const [, options] = /** @type {any} */ (asked.mock.calls[0]).arguments;
  assert.deepEqual([options.method, options.body], ["PATCH", '{"name":"best"}']);
  const deleted = context.mock.method(globalThis, "fetch", async () => new Response(null, { status: 204 }));
  await deleteAt("/api/runs/a");
  assert.equal(/** @type {any} */ (deleted.mock.calls[0]).arguments[1].method, "DELETE");
  server(context, 409, { detail: "Run 'a' is live." });
  await assert.rejects(deleteAt("/api/runs/a"), { message: "Run 'a' is live." });
});
