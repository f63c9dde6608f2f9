import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { BAND } from "../../../static/charts/line_traces.js";

const CSS = readFileSync(new URL("../../../static/css/tokens.css", import.meta.url), "utf8");

/**
 * The colours of one theme.
 * @param {string} theme
 * @returns {Record<string, string>}
 */
function tokens(theme) {
  const block = CSS.split(`[data-theme="${theme}"]`)[1]?.split("}")[0] ?? "";
  return Object.fromEntries([...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map((m) => [m[1], m[2]]));
}

/**
 * Relative luminance, as WCAG 2.2 defines it.
 * @param {string} color
 */
function luminance(color) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const channel = parseInt(color.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/**
 * @param {string} a
 * @param {string} b
 */
function contrast(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

/**
 * A colour of some opacity over a ground.
 * @param {string} color
 * @param {string} ground
 * @param {number} opacity
 */
function blended(color, ground, opacity) {
  const channels = [1, 3, 5].map((at) => {
    const [over, under] = [color, ground].map((each) => parseInt(each.slice(at, at + 2), 16));
    return Math.round(over * opacity + under * (1 - opacity)).toString(16).padStart(2, "0");
  });
  return `#${channels.join("")}`;
}

const STATES = ["unmeasured", "present", "zero", "nonfinite", "absent", "stale", "frozen", "gated"];
const TEXTS = ["text", "muted", "accent", "good", ...STATES.map((name) => `state-${name}`)];
const MARKS = ["mark", "mark-outline", "focus", "spark"];
const SERIES = Array.from({ length: 8 }, (_, i) => `series-${i + 1}`);

for (const theme of ["light", "dark"]) {
  const colors = tokens(theme);

  test(`${theme}: text is at least 4.5:1 on every ground that it stands on`, () => {
    for (const ground of ["panel", "page", "sunken", "hover", "active"]) {
      for (const name of TEXTS) {
        const ratio = contrast(colors[name], colors[ground]);
        assert.ok(ratio >= 4.5, `--${name} on --${ground}: ${ratio.toFixed(2)}`);
      }
    }
    const pairs = [
      ["on-accent", "accent"],
      ["warn-text", "warn-bg"],
      ["panel", "state-frozen"],
      ["panel", "state-gated"],
      ["panel", "state-nonfinite"],
    ];
    for (const [name, ground] of pairs) {
      const ratio = contrast(colors[name], colors[ground]);
      assert.ok(ratio >= 4.5, `--${name} on --${ground}: ${ratio.toFixed(2)}`);
    }
  });

  test(`${theme}: the numbers of lines are at least 4.5:1 on their colours`, () => {
    for (const name of SERIES) {
      const ratio = contrast(colors[name], colors["panel"]);
      assert.ok(ratio >= 4.5, `--${name}: ${ratio.toFixed(2)}`);
    }
  });

  test(`${theme}: the bands of lines are at least 3:1 to their ground`, () => {
    for (const name of SERIES) {
      const ratio = contrast(blended(colors[name], colors["panel"], parseInt(BAND, 16) / 255), colors["panel"]);
      assert.ok(ratio >= 3, `--${name}: ${ratio.toFixed(2)}`);
    }
  });

  test(`${theme}: marks are at least 3:1`, () => {
    for (const ground of ["panel", "sunken", "hover", "active"]) {
      for (const name of MARKS) {
        const ratio = contrast(colors[name], colors[ground]);
        assert.ok(ratio >= 3, `--${name} on --${ground}: ${ratio.toFixed(2)}`);
      }
    }
  });
}

test("both themes have the same tokens", () => {
  assert.deepEqual(Object.keys(tokens("light")).sort(), Object.keys(tokens("dark")).sort());
  assert.ok(Object.keys(tokens("light")).length > 30);
});
