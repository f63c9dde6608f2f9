import assert from "node:assert/strict";
import { test } from "node:test";

import { parseFilter } from "../../../static/tree/filter.js";
import { explainNoMatch } from "../../../static/tree/no_match.js";

const KNOWN = { state: "present", cause: null, alert: false, note: false };
const PARAMETERS = [
  { name: "encoder.conv.weight", known: { ...KNOWN, state: "zero" } },
  { name: "encoder.conv.bias", known: KNOWN },
  { name: "head.weight", known: KNOWN },
];

/** @param {string} filter */
function explain(filter) {
  const count = (/** @type {string} */ text) => PARAMETERS.filter(({ name, known }) => parseFilter(text)?.(name, known)).length;
  const { reasons, offers } = explainNoMatch(filter, count);
  return { reasons, offers: offers.map((offer) => `${offer.filter}: ${offer.count}`) };
}

test("of a word that no name has, its beginning is offered that one has", () => {
  assert.deepEqual(explain("convolution"), { reasons: ["No name has “convolution” in it."], offers: ["conv: 2"] });
  assert.deepEqual(explain("xyz").offers, []);
  assert.deepEqual(explain("hexa").offers, ["he: 1"]);
});

test("a glob that fits no whole name is offered as a piece of it", () => {
  assert.deepEqual(explain("conv.*"), { reasons: ["“conv.*” fits no whole name."], offers: ["*conv.*: 2"] });
});

test("of a state those are offered that there are now, and one that is none is told", () => {
  assert.deepEqual(explain("state:absent"), { reasons: ["No parameter is absent now."], offers: ["state:present: 2", "state:zero: 1"] });
  assert.match(explain("state:absnt").reasons[0], /^There is no state “absnt”\. The states are unmeasured, present, /);
  assert.deepEqual(explain("state:trouble,frozen head").reasons, ["“state:trouble,frozen” is true of 1 parameter, “head” is true of 1 parameter; of none all at once."]);
});

test("words that are never true together are told with their numbers, and offered without one another", () => {
  const { reasons, offers } = explain("head state:zero weight");
  assert.deepEqual(reasons, [
    "“head” is true of 1 parameter, “state:zero” is true of 1 parameter, “weight” is true of 2 parameters; of none all at once.",
  ]);
  assert.deepEqual(offers, ["state:zero weight: 1", "head weight: 1"]);
});

test("what finds nothing by itself is left out of what is offered", () => {
  const { reasons, offers } = explain("head is:alert cause:no_grad weigth");
  assert.deepEqual(reasons, ["No parameter has an alert now.", "No parameter has the cause “no_grad” now.", "No name has “weigth” in it."]);
  assert.deepEqual(offers, ["head weig: 1", "head: 1"]);
  assert.deepEqual(explain("is:note").reasons, ["No parameter has a note now."]);
});
