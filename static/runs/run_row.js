/**
 * One row of the list of runs.
 *
 * @typedef {import("../model/states.js").StateName} StateName
 * @typedef {import("../wire.js").RunRow} RunRow
 */
import { element, find, setAttribute, setText } from "../base/dom.js";
import { formatAge, formatCost, formatCount, formatJob, formatPercent, formatRate, formatTime, plural } from "../base/format.js";
import { rooted } from "../base/root.js";
import { visible } from "../base/visible.js";
import { alertLabel, ALERT_MEANING } from "../model/alerts.js";
import { openAlertWords } from "../model/events.js";
import { runName } from "../model/run_name.js";
import { stateGlyph } from "../model/state_glyph.js";
import { stateCode, TROUBLES } from "../model/states.js";
import { ALERT_WORD } from "../tree/filter.js";
import { readRunQuery, runQueryLink } from "./run_query.js";

export const CELLS = Object.freeze([
  "status",
  "trouble",
  "course",
  "step",
  "rate",
  "seen",
  "cost",
  "parameters",
  "started",
  "notes",
  "job",
]);
const OUTSIDE = "They require a gradient, and no optimizer that Gradgate knows of has them.";
const NUMBERS = new Set(["step", "rate", "seen", "cost", "parameters"]);

/** @param {RunRow} run */
export function makeRow(run) {
  const href = rooted(`/runs/${encodeURIComponent(run.id)}`);
  const link = element("a", { class: "run-link", href });
  const identifier = element("span", { class: "identifier", title: run.id }, run.id.slice(0, 6));
  const number = element("span", { class: "run-number" });
  const group = element("a", { class: "group", hidden: "" });
  const tags = element("span", { class: "tags" });
  const name = element("div", { class: "run-name" }, element("span", { class: "run-title" }, link, number), identifier, group, tags);
  const box = element("input", { type: "checkbox", value: run.id });
  const row = element("tr", { "data-run": run.id }, element("td", { class: "choose" }, box), element("th", { scope: "row" }, name));
  for (const cell of CELLS) {
    row.append(element("td", { "data-cell": cell, class: NUMBERS.has(cell) ? "number" : "" }));
  }
  find(row, '[data-cell="status"]').append(element("span", { class: "status" }));
  const alerts = element("a", {
    class: "alert",
    href: `${href}?filter=${encodeURIComponent(ALERT_WORD)}`,
    title: `${ALERT_MEANING} Click to see them.`,
    hidden: "",
  });
  const open = element("a", {
    class: "open-alerts muted",
    href: `${href}?log=events&event_level=alert`,
    title: "Alerts of which nobody has put the event aside. Click to list them.",
    hidden: "",
  });
  const states = element("span", { class: "states" });
  const outside = element("span", { class: "outside muted", title: OUTSIDE });
  find(row, '[data-cell="trouble"]').append(element("div", { class: "troubles" }, alerts, states, outside, open));
  find(row, '[data-cell="course"]').append(element("span", { class: "course" }));
  return row;
}

/**
 * @param {HTMLElement} row
 * @param {RunRow} run
 */
export function fillRow(row, run) {
  const link = find(row, ".run-link");
  const name = visible(runName(run));
  setText(link, visible(run.name));
  setAttribute(link, "aria-label", name);
  setAttribute(link, "title", [name, visible(run.notes)].filter(Boolean).join(" · "));
  setText(find(row, ".run-number"), run.number === 1 ? "" : `#${run.number}`);
  setAttribute(find(row, "input"), "aria-label", `Choose ${name}`);
  fillGroup(find(row, ".group"), run.group);
  setAttribute(row, "data-archived", run.archived ? "true" : null);
  fillTags(find(row, ".tags"), run.tags);
  const status = find(row, ".status");
  setText(status, run.status);
  setAttribute(status, "data-status", run.status);
  const texts = {
    step: formatCount(run.step),
    rate: run.status === "live" ? formatRate(run.steps_per_second) : "–",
    seen: run.last_seen === null ? "–" : `${formatAge(run.server_time - run.last_seen)} ago`,
    cost: run.cost === null ? "–" : formatPercent(run.cost),
    parameters: formatCount(run.parameters),
    started: formatTime(run.started),
    notes: visible(run.notes.split("\n", 1)[0]),
    job: formatJob(run),
  };
  for (const [cell, text] of Object.entries(texts)) setText(find(row, `[data-cell="${cell}"]`), text);
  setAttribute(find(row, '[data-cell="job"]'), "title", texts.job);
  const size = `${plural(run.numel, "number")}, ${formatCount(run.trainable)} of the parameters trainable`;
  setAttribute(find(row, '[data-cell="parameters"]'), "title", size);
  setAttribute(find(row, '[data-cell="cost"]'), "title", formatCost(run.cost, run.every));
  const alerts = find(row, ".alert");
  alerts.hidden = run.alerts === 0;
  setText(alerts, `${formatCount(run.alerts)} ${alertLabel(run.alerts)}`);
  const open = find(row, ".open-alerts");
  open.hidden = run.last_alert === null;
  setText(open, run.last_alert === null ? "" : openAlertWords({ count: run.open_alerts, last: run.last_alert }));
  fillStates(find(row, ".states"), run);
  const outside = run.samples > 0 ? run.not_in_optimizer : 0;
  setText(find(row, ".outside"), outside > 0 ? `${formatCount(outside)} in no optimizer` : "");
}

/**
 * @param {HTMLElement} link to the runs of the group
 * @param {string | null} group
 */
function fillGroup(link, group) {
  link.hidden = group === null;
  if (group === null) return;
  setText(link, visible(group));
  setAttribute(link, "title", `The group ${visible(group)}: list its runs`);
  setAttribute(link, "href", runQueryLink({ ...readRunQuery(""), group }));
}

/**
 * @param {HTMLElement} box
 * @param {readonly string[]} tags each a link to the runs that have it
 */
function fillTags(box, tags) {
  const key = JSON.stringify(tags);
  if (box.dataset["key"] === key) return;
  box.dataset["key"] = key;
  const links = tags.map((tag) => {
    const href = runQueryLink({ ...readRunQuery(""), tags: [tag] });
    return element("a", { class: "tag", href }, visible(tag));
  });
  box.replaceChildren(...links);
}

/**
 * @param {HTMLElement} box
 * @param {RunRow} run
 */
function fillStates(box, { states, samples, alerts, open_alerts, not_in_optimizer }) {
  const troubles = TROUBLES.filter((name) => (states[name] ?? 0) > 0);
  const calm = samples === 0 ? "no sample yet" : alerts + open_alerts + not_in_optimizer === 0 ? "none" : "";
  const key = JSON.stringify([calm, troubles.map((name) => [name, states[name]])]);
  if (box.dataset["key"] === key) return;
  box.dataset["key"] = key;
  if (troubles.length === 0) {
    box.replaceChildren(...(calm === "" ? [] : [element("span", { class: "muted" }, calm)]));
    return;
  }
  box.replaceChildren(...troubles.map((name) => tally(name, states[name] ?? 0)));
}

/**
 * @param {StateName} name
 * @param {number} count
 */
function tally(name, count) {
  const words = element("span", {}, formatCount(count), element("span", { class: "word" }, ` ${name}`));
  const made = element("span", { class: "tally", title: `${formatCount(count)} ${name}` }, stateGlyph(stateCode(name)), words);
  made.style.color = `var(--state-${name})`;
  return made;
}
