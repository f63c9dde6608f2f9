/** What a heat map asks for, and when. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HeatmapData } from "../../../static/heatmap/heatmap_data.js";

const PACKED = { first: [0, 1], last: [0, 1], rows: ["a"], parameters: [1], range: [0, 1], shades: Uint8Array.of(1, 2), states: Uint8Array.of(1, 1) };
/** @type {import("../../../static/heatmap/heatmap_data.js").Wanted} */
const WANTED = { subject: { stat: "grad_norm", of: "max", within: "" }, room: { columns: 10, rows: 5 }, range: null, latest: 1 };

/** @param {(path: string) => Promise<any>} get */
function dataOf(get) {
  const clock = { now: 0 };
  /** @type {string[]} */
  const asked = [];
  const guard = async (/** @type {() => Promise<void>} */ request) => request().catch(() => {});
  const counted = (/** @type {string} */ path) => {
    asked.push(path.replace(/^.*rows=5/, ""));
    return get(path);
  };
  const data = new HeatmapData("api", guard, () => {}, counted, () => clock.now);
  return { data, clock, asked };
}

test("the whole run comes first, then what is in sight, and each once", async () => {
  const { data, asked } = dataOf(async () => PACKED);
  const zoomed = { ...WANTED, range: /** @type {const} */ ([0, 1]) };
  for (let i = 0; i < 4; i += 1) await data.fetchMissing(zoomed);
  assert.deepEqual(asked, ["", "&from=0&to=1"]);
});

test("the whole run follows the end, but not with every sample", async () => {
  const { data, clock, asked } = dataOf(async () => PACKED);
  await data.fetchMissing(WANTED);
  await data.fetchMissing({ ...WANTED, latest: 5 });
  assert.equal(asked.length, 1);
  clock.now = 5000;
  await data.fetchMissing({ ...WANTED, latest: 5 });
  assert.equal(asked.length, 2);
});

test("an answer that was overtaken by another subject is dropped", async () => {
  /** @type {(value: any) => void} */
  let answer = () => {};
  const { data } = dataOf(() => new Promise((resolve) => (answer = resolve)));
  const first = data.fetchMissing(WANTED);
  await data.fetchMissing({ ...WANTED, subject: { ...WANTED.subject, stat: "grad_max" } });
  answer(PACKED);
  await first;
  assert.equal(data.overview, null);
});

test("a request that failed is tried again after a while, and what is there stays", async () => {
  let away = false;
  const { data, clock, asked } = dataOf(async () => {
    if (away) throw new Error("away");
    return PACKED;
  });
  await data.fetchMissing(WANTED);
  away = true;
  const zoomed = { ...WANTED, range: /** @type {const} */ ([0, 1]) };
  for (let i = 0; i < 3; i += 1) await data.fetchMissing(zoomed);
  assert.equal(asked.length, 2);
  assert.equal(data.failure, "away");
  assert.notEqual(data.overview, null);
  away = false;
  clock.now = 60_000;
  await data.fetchMissing(zoomed);
  assert.deepEqual(data.detail?.range, [0, 1]);
  assert.equal(data.failure, "");
});

test("the whole run is asked for again when the run is at another step, also at an earlier one", async () => {
  const { data, clock, asked } = dataOf(async () => PACKED);
  for (const latest of [9, 9, 5, 5, 6]) {
    clock.now += 10_000;
    await data.fetchMissing({ ...WANTED, latest });
  }
  assert.equal(asked.length, 3);
});
