import assert from "node:assert/strict";
import { test } from "node:test";

import { ownOf } from "../../../static/base/own.js";
import { optionLabel } from "../../../static/model/optimizer_groups.js";

const INHERITED = ["constructor", "__proto__", "toString", "hasOwnProperty"];

test("a name that every object knows is nobody's own unless it was given", () => {
  for (const name of INHERITED) {
    assert.equal(ownOf({}, name), undefined);
    assert.equal(ownOf(JSON.parse(`{"${name}": 1}`), name), 1);
    assert.equal(optionLabel(name), name);
  }
});
