/** The rooms of `static/` and their order: what a module may import, read from its own import statements. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const STATIC = fileURLToPath(new URL("../../static", import.meta.url));

/**
 * From the lowest floor to the highest. A module imports from its own room and from lower floors;
 * rooms of one floor do not know each other. `.` is the folder itself: the entries of the pages.
 */
const FLOORS = Object.freeze([
  ["wire.d.ts"],
  ["base"],
  ["link"],
  ["model"],
  ["charts", "commands", "events", "tree"],
  ["explain", "gates", "heatmap", "parameter"],
  ["compare"],
  ["runs"],
  ["pages"],
  ["."],
]);

/** Static and dynamic imports, re-exports, and the imports of types in comments. */
const IMPORTS = /^(?:import|export)\s[^;"']*?\bfrom\s*["']([^"']+)["']|\bimport\s*\(\s*["']([^"']+)["']|^import\s*["']([^"']+)["']/gm;

const MODULES = readdirSync(STATIC, { recursive: true, encoding: "utf8" })
  .filter((path) => /\.(js|ts)$/.test(path) && !path.startsWith("vendor"))
  .sort();

/**
 * The modules that a module imports, as paths in `static/`.
 * @param {string} path
 */
function importsOf(path) {
  const source = readFileSync(join(STATIC, path), "utf8");
  const named = [...source.matchAll(IMPORTS)].map(([, from, called, bare]) => from ?? called ?? bare);
  return [...new Set(named)].map((target) => {
    assert.match(target, /^\.\.?\/.+\.js$/, `${path} imports ${target}: a relative path with its .js`);
    const found = relative(STATIC, join(STATIC, dirname(path), target));
    return MODULES.includes(found) ? found : found.replace(/\.js$/, ".d.ts");
  });
}

/** @param {string} path */
function roomOf(path) {
  return path === "wire.d.ts" ? path : dirname(path).split("/")[0];
}

/** @param {string} path */
function floorOf(path) {
  return FLOORS.findIndex((rooms) => rooms.includes(roomOf(path)));
}

const GRAPH = new Map(MODULES.map((path) => [path, importsOf(path)]));

test("every module stands in a room, and every room has modules", () => {
  assert.deepEqual(MODULES.filter((path) => floorOf(path) < 0), []);
  const rooms = new Set(MODULES.map(roomOf));
  assert.deepEqual(FLOORS.flat().filter((room) => !rooms.has(room)), []);
});

test("what is imported is there", () => {
  const lost = [...GRAPH].flatMap(([path, imports]) => imports.filter((each) => !GRAPH.has(each)).map((each) => `${path} → ${each}`));
  assert.deepEqual(lost, []);
});

test("imports run one way: within a room, or to a lower floor", () => {
  const upward = [...GRAPH].flatMap(([path, imports]) =>
    imports
      .filter((each) => roomOf(each) !== roomOf(path) && floorOf(each) >= floorOf(path))
      .map((each) => `${path} → ${each}`),
  );
  assert.deepEqual(upward, []);
});

test("no module imports itself by way of others", () => {
  /** @type {Set<string>} */
  const done = new Set();
  /** @param {string} path @param {readonly string[]} way */
  const walk = (path, way) => {
    assert.ok(!way.includes(path), [...way.slice(way.indexOf(path)), path].join(" → "));
    if (done.has(path)) return;
    for (const each of GRAPH.get(path) ?? []) walk(each, [...way, path]);
    done.add(path);
  };
  for (const path of MODULES) walk(path, []);
});

test("the entries of the pages are imported by nobody", () => {
  const imported = [...GRAPH.values()].flat().filter((path) => roomOf(path) === ".");
  assert.deepEqual(imported, []);
});
