import assert from "node:assert/strict";
import { test } from "node:test";

import { deletion } from "../../../static/runs/delete_dialog.js";
import { run } from "../support/made_run.js";

test("a deletion says what goes, and which runs stay because they are live", () => {
  const told = deletion([run({ samples: 1000 }), run({ samples: 234, status: "lost" }), run({ status: "live" })]);
  assert.equal(told.headline, "Delete 2 runs for good?");
  assert.match(told.lost, /^All that is stored of them goes: 1,234 samples, metrics,/);
  assert.equal(told.kept, "One run is live and stays: end its job before it is deleted.");
  assert.equal(deletion([run()]).kept, "");
});

test("of live runs alone nothing is deleted", () => {
  const told = deletion([run({ status: "live" }), run({ status: "live" })]);
  assert.deepEqual([told.headline, told.lost], ["No run can be deleted", ""]);
  assert.equal(told.kept, "2 runs are live and stay: end their jobs before they are deleted.");
});
