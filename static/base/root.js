/** Paths of the server as the page reaches them: a proxy may show it below a path of its own. */

/**
 * A path of the server, such as `/api/runs`, with the path before it below which the server is.
 * @param {string} path
 */
export function rooted(path) {
  const root = globalThis.document?.documentElement?.dataset?.["root"] ?? "";
  return root + path;
}
