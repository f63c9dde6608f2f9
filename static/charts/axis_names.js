/**
 * The names below the axis of the model's depth: of every block, and in the last row of what blocks are parts of.
 *
 * Names that would run into one another are moved apart, and stand in two rows where one has no room. Of numbered layers
 * without room for all, every second, fifth, tenth … is named, as an axis names its numbers.
 *
 * @typedef {import("./depth_axis.js").Block} Block
 * @typedef {{at: number, shift: number, text: string}} PlacedName at the middle of its block, and moved by so many pixels
 * @typedef {{middle: number, at: number, half: number, size: number, text: string}} Name where it stands, half its width, and the size of its block, in places
 * @typedef {{near: PlacedName[][], around: PlacedName[]}} AxisNames rows of blocks, and the row of what they are parts of
 */
import { shortenMiddle } from "../base/format.js";
import { isNumber } from "./depth_axis.js";

const CHARACTER = 6.2;
const LONGEST = 32;
/** What names may stand out on either side, in pixels. */
const SPARE = Object.freeze({ left: 56, right: 44 });
const STEPS = Object.freeze([1, 2, 5]);

/**
 * @param {readonly Block[]} blocks in model order
 * @param {number} perPixel places
 * @returns {AxisNames}
 */
export function axisNames(blocks, perPixel) {
  if (blocks.length === 0) return { near: [], around: [] };
  const room = /** @type {const} */ ([-SPARE.left * perPixel, blocks[blocks.length - 1].last + SPARE.right * perPixel]);
  const name = (/** @type {Pick<Block, "first" | "last">} */ block, /** @type {string} */ text) => named(block, text, perPixel);
  const groups = groupsOf(blocks);
  /** @type {Name[]} */
  const needed = [];
  /** @type {Name[]} */
  const ticks = [];
  for (const group of groups) {
    const numbers = group.blocks.filter(({ label }) => isNumber(label));
    const step = stepBetween(numbers.map((block) => name(block, block.label)));
    for (const block of group.blocks) {
      const made = name(block, block.label || "model");
      if (step === 1 || !isNumber(block.label)) needed.push(made);
      else if (Number(block.label) % step === 0) ticks.push(made);
    }
  }
  const rows = rowsOf(needed, room);
  rows[0].push(...ticks.filter((tick) => rows[0].every((other) => areApart(other, tick))));
  const around = groups.filter(({ path }) => path !== "").map((group) => name(group, group.path));
  return { near: rows.map((row) => placed(row, perPixel)), around: placed(apartOnly(around, room), perPixel) };
}

/**
 * @param {Pick<Block, "first" | "last">} block
 * @param {string} label
 * @param {number} perPixel
 * @returns {Name}
 */
function named({ first, last }, label, perPixel) {
  const text = shortenMiddle(label, LONGEST);
  const middle = (first + last) / 2;
  return { middle, at: middle, text, half: ((text.length + 1) * CHARACTER * perPixel) / 2, size: last - first };
}

/**
 * Neighbours that are parts of the same module.
 * @param {readonly Block[]} blocks
 */
function groupsOf(blocks) {
  /** @type {{path: string, first: number, last: number, blocks: Block[]}[]} */
  const groups = [];
  for (const block of blocks) {
    const path = block.path.slice(0, Math.max(0, block.path.length - block.label.length - 1));
    const previous = groups[groups.length - 1];
    if (previous?.path === path) {
      previous.last = block.last;
      previous.blocks.push(block);
    } else groups.push({ path, first: block.first, last: block.last, blocks: [block] });
  }
  return groups;
}

/**
 * Each how many of numbered layers are named: 1, 2, 5, 10, 20 …
 * @param {readonly Name[]} numbers of layers beside one another
 */
function stepBetween(numbers) {
  if (numbers.length < 2) return 1;
  const widest = Math.max(...numbers.map(({ half }) => half * 2));
  const apart = (numbers[numbers.length - 1].at - numbers[0].at) / (numbers.length - 1);
  for (let power = 1; ; power *= 10) {
    const step = STEPS.find((each) => each * power * apart >= widest);
    if (step !== undefined) return step * power;
  }
}

/**
 * Names in one row or two, moved apart. Where two have no room either, those of the smallest blocks are left out.
 * @param {readonly Name[]} names
 * @param {readonly [number, number]} room
 * @returns {Name[][]}
 */
function rowsOf(names, room) {
  const fits = (/** @type {readonly Name[]} */ row) => row.reduce((sum, { half }) => sum + 2 * half, 0) <= room[1] - room[0];
  let kept = [...names];
  for (;;) {
    if (fits(kept)) return [movedApart(kept, room)];
    const rows = [0, 1].map((parity) => kept.filter((_, i) => i % 2 === parity));
    if (rows.every(fits)) return rows.map((row) => movedApart(row, room));
    const smallest = kept.reduce((least, each) => (each.size < least.size ? each : least));
    kept = kept.filter((each) => each !== smallest);
  }
}

/**
 * @param {readonly Name[]} names in their order; they have room
 * @param {readonly [number, number]} room
 */
function movedApart(names, [start, end]) {
  let edge = start;
  const moved = names.map((name) => {
    const at = Math.max(name.at, edge + name.half);
    edge = at + name.half;
    return { ...name, at };
  });
  edge = end;
  for (const name of moved.toReversed()) {
    name.at = Math.min(name.at, edge - name.half);
    edge = name.at - name.half;
  }
  return moved;
}

/**
 * Those that run into no larger one, and not over the end.
 * @param {readonly Name[]} names
 * @param {readonly [number, number]} room
 */
function apartOnly(names, [start, end]) {
  /** @type {Name[]} */
  const kept = [];
  for (const name of [...names].sort((a, b) => b.size - a.size)) {
    if (name.at - name.half < start || name.at + name.half > end) continue;
    if (kept.every((other) => areApart(other, name))) kept.push(name);
  }
  return kept;
}

/**
 * @param {Name} one
 * @param {Name} other
 */
function areApart(one, other) {
  return Math.abs(one.at - other.at) >= one.half + other.half;
}

/**
 * @param {readonly Name[]} names
 * @param {number} perPixel
 * @returns {PlacedName[]}
 */
function placed(names, perPixel) {
  return [...names].sort((a, b) => a.at - b.at).map(({ middle, at, text }) => ({ at: middle, shift: (at - middle) / perPixel, text }));
}
