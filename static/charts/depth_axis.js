/**
 * Names below the flow chart: top-level modules, and nearer to the axis the parts of those that
 * are told apart. A name that would run into another is left out; larger blocks come first.
 *
 * @typedef {{label: string, path: string, first: number, last: number}} Block
 * @typedef {{at: number, text: string}} PlacedName
 * @typedef {object} BlockNames
 * @property {PlacedName[]} near
 * @property {PlacedName[]} below empty when no module is told apart
 */
import { shortenMiddle } from "../base/format.js";

const CHARACTER = 6.2;
const LONGEST = 24;
const SPARE_RIGHT = 40;

/** @param {string} path */
export function topOf(path) {
  return path.split(".", 1)[0];
}

/**
 * @param {readonly Block[]} blocks in model order
 * @param {number} perPixel parameters
 * @returns {BlockNames}
 */
export function blockNames(blocks, perPixel) {
  const inner = blocks.filter(({ path }) => path !== topOf(path));
  const parts = inner.map((block) => ({ ...block, text: block.path.slice(topOf(block.path).length + 1) }));
  const wholes = topBlocks(blocks).map((block) => ({ ...block, text: topOf(block.path) || "model" }));
  if (parts.length === 0) return { near: placed(wholes, perPixel), below: [] };
  return { near: placed(parts, perPixel), below: placed(wholes, perPixel) };
}

/**
 * Neighbours of one top-level module as one block.
 * @param {readonly Block[]} blocks
 * @returns {Block[]}
 */
function topBlocks(blocks) {
  /** @type {Block[]} */
  const wholes = [];
  for (const block of blocks) {
    const previous = wholes[wholes.length - 1];
    if (previous !== undefined && topOf(previous.path) === topOf(block.path)) previous.last = block.last;
    else wholes.push({ ...block });
  }
  return wholes;
}

/**
 * @param {readonly (Block & {text: string})[]} named
 * @param {number} perPixel
 */
function placed(named, perPixel) {
  /** @type {(PlacedName & {half: number})[]} */
  const names = [];
  const end = Math.max(...named.map(({ last }) => last)) + SPARE_RIGHT * perPixel;
  for (const block of [...named].sort((a, b) => b.last - b.first - (a.last - a.first))) {
    const text = shortenMiddle(block.text, LONGEST);
    const half = ((text.length + 1) * CHARACTER * perPixel) / 2;
    const at = (block.first + block.last) / 2;
    if (at + half > end) continue;
    if (names.every((other) => Math.abs(other.at - at) > other.half + half)) names.push({ at, text, half });
  }
  return names.sort((a, b) => a.at - b.at).map(({ at, text }) => ({ at, text }));
}
