import assert from "node:assert/strict";
import { test } from "node:test";

import { tagsOf } from "../../../static/runs/edit_dialog.js";

test("tags are written with commas between them, and each counts once", () => {
  assert.deepEqual(tagsOf(" good, lr 0.1 ,, good,"), ["good", "lr 0.1"]);
  assert.deepEqual(tagsOf(" "), []);
});
