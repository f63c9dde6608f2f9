/** The view of the page that compares, in its address. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { compareViewLink, readCompareView } from "../../../static/compare/compare_view.js";

test("an address has all of a view, and says nothing of what is as at first", () => {
  const view = { sides: [{ id: "a", range: null }, { id: "b", range: /** @type {const} */ ([3, 9]) }], align: /** @type {const} */ ("share"), against: "b@3-9", within: "layers.0 … 3" };
  assert.deepEqual(readCompareView(new URL(compareViewLink(view), "http://x").search), view);
  assert.equal(compareViewLink({ ...view, align: "step", against: "", within: "" }), "/compare?run=a&run=b%403-9");
  assert.deepEqual(readCompareView("?align=nothing"), { sides: [], align: "step", against: "", within: "" });
});
