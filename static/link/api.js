/** The REST calls of the page; what the server refuses becomes an Error with its own sentence. */

import { rooted } from "../base/root.js";
import { COLUMNS_TYPE, decodeColumns } from "./columns.js";

const REFUSALS = Object.freeze([409, 422]);

/** What was asked for is understood, and would not be done. */
export class Refusal extends Error {}

/**
 * Why something failed, in its own words.
 * @param {unknown} error
 */
export function reasonOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/**
 * @param {string} path
 * @param {AbortSignal | null} [signal]
 * @returns {Promise<any>}
 */
export async function getJson(path, signal = null) {
  return answer(await reach(path, { headers: { Accept: "application/json" }, signal }), path);
}

/**
 * What travels packed, by the names of its columns.
 * @param {string} path
 * @returns {Promise<any>}
 */
export async function getColumns(path) {
  const response = await reach(path, { headers: { Accept: COLUMNS_TYPE } });
  await refused(response, path);
  return decodeColumns(await response.arrayBuffer());
}

/**
 * @param {string} path
 * @param {object} body
 * @param {AbortSignal | null} [signal]
 * @returns {Promise<any>}
 */
export function postJson(path, body, signal = null) {
  return send("POST", path, body, signal);
}

/**
 * @param {string} path
 * @param {object} body what is to be changed
 * @returns {Promise<any>}
 */
export function patchJson(path, body) {
  return send("PATCH", path, body, null);
}

/**
 * Delete what is at a path.
 * @param {string} path
 */
export async function deleteAt(path) {
  await refused(await reach(path, { method: "DELETE", headers: { Accept: "application/json" } }), path);
}

/**
 * @param {string} method
 * @param {string} path
 * @param {object} body
 * @param {AbortSignal | null} signal
 * @returns {Promise<any>}
 */
async function send(method, path, body, signal) {
  const response = await reach(path, {
    method,
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify(body),
    signal,
  });
  return answer(response, path);
}

/**
 * `fetch`, whose TypeError for an unreachable server says nothing to a person.
 * @param {string} path
 * @param {RequestInit} options
 */
async function reach(path, options) {
  try {
    return await fetch(rooted(path), options);
  } catch (error) {
    throw new Error("The server cannot be reached", { cause: error });
  }
}

/**
 * @param {Response} response
 * @param {string} path
 */
async function answer(response, path) {
  await refused(response, path);
  return response.json();
}

/**
 * Throws what the server refuses.
 * @param {Response} response
 * @param {string} path
 */
async function refused(response, path) {
  if (response.ok) return;
  const body = response.headers.get("Content-Type")?.includes("json") ? await response.json() : {};
  const why = sentence(body.detail) ?? `${path}: the server answered ${response.status}`;
  throw REFUSALS.includes(response.status) ? new Refusal(why) : new Error(why);
}

/**
 * FastAPI's `detail`: a sentence, or a list of problems.
 * @param {unknown} detail
 */
function sentence(detail) {
  if (typeof detail === "string") return detail;
  if (Array.isArray(detail)) return detail.map((problem) => String(problem.msg)).join("; ");
  return null;
}
