/**
 * Trouble first: what the job tells unasked, freezes that do not hold, how many parameters are in each
 * state that deserves a look, and why.
 *
 * @typedef {import("../model/records.js").CommandRow} CommandRow
 * @typedef {import("../model/states.js").StateName} StateName
 * @typedef {import("../model/run_state.js").RunState} RunState
 * @typedef {import("../model/verdicts.js").CauseGroup} CauseGroup
 */
import { element } from "../base/dom.js";
import { formatCount } from "../base/format.js";
import { tick } from "../base/glyphs.js";
import { visible } from "../base/visible.js";
import { alertLabel, ALERT_MEANING, noteLabel, NOTE_MEANING } from "../model/alerts.js";
import { causeOf } from "../model/causes.js";
import { eventSummary } from "../model/events.js";
import { stateGlyph } from "../model/state_glyph.js";
import { CALM, countStates, stateCode, stateOf, TROUBLES } from "../model/states.js";
import { ALERT_WORD, causeWord, NOTE_WORD, stateWord } from "./filter.js";

export class TroubleStrip {
  /**
   * @param {HTMLElement} box
   * @param {object} handlers
   * @param {(word: string) => void} handlers.onPick a word for the filter
   * @param {(name: string) => void} handlers.onWhy of a parameter that has no row
   * @param {(command: number) => void} handlers.onDrifted
   * @param {() => void} handlers.onEvents the list of events is asked for
   */
  constructor(box, { onPick, onWhy, onDrifted, onEvents }) {
    this.box = box;
    this.key = "";
    /** @type {Map<string, number>} places in the row by what a chip is of: a late one moves none of the others */
    this.places = new Map();
    box.addEventListener("click", (event) => {
      const chip = event.target instanceof Element && event.target.closest(".chip");
      if (!(chip instanceof HTMLElement)) return;
      const { word, why, drifted: id, events } = chip.dataset;
      if (word !== undefined) onPick(word);
      if (why !== undefined) onWhy(why);
      if (id !== undefined) onDrifted(Number(id));
      if (events !== undefined) onEvents();
    });
  }

  /**
   * @param {RunState} state
   * @param {string} filter the text of the filter box
   * @param {readonly CommandRow[]} drifted newest first
   */
  render({ states, alerts, notes, ofRun, run, verdicts, events }, filter, drifted) {
    const counts = countStates(states);
    const count = (/** @type {StateName} */ name) => counts.get(name) ?? 0;
    const words = filter.split(/\s+/);
    const shown = (/** @type {readonly StateName[]} */ names) =>
      names.filter((name) => count(name) > 0 || words.includes(stateWord(name)));
    const groups = verdicts.groups();
    const measured = states.some((code) => stateOf(code).name !== "unmeasured");
    // More than are listed, of which those of the whole run have no row.
    const told = ofRun.filter(({ level }) => level !== "note").length;
    const missed = alerts.size === 0 ? 0 : Math.max(alerts.size, (run?.alerts ?? 0) - told);
    const happened = eventSummary(events, run);
    const ended = run?.status === "finished" || run?.status === "failed";
    const key = JSON.stringify([happened, ended, [...counts], words, groups, measured, missed, notes.size, told, drifted.map(({ id, reason }) => [id, reason])]);
    if (key === this.key) return;
    this.key = key;
    const quiet = missed + told === 0 && drifted.length === 0 && groups.length === 0 && !TROUBLES.some((name) => count(name) > 0);
    const pressed = (/** @type {string} */ word) => words.includes(word);
    this.#replace(
      ...(missed > 0 || pressed(ALERT_WORD) ? [alertChip(missed, pressed(ALERT_WORD))] : []),
      ...(drifted.length > 0 ? [driftedChip(drifted)] : []),
      ...(quiet ? [verdict(measured, ended)] : []),
      ...shown(TROUBLES).map((name) => stateChip(name, count(name), pressed(stateWord(name)))),
      ...causeChips(groups, pressed),
      ...shown(CALM).map((name) => stateChip(name, count(name), pressed(stateWord(name)))),
      ...(notes.size > 0 || pressed(NOTE_WORD) ? [noteChip(notes.size, pressed(NOTE_WORD))] : []),
      ...(happened !== "" ? [eventsChip(happened)] : []),
    );
  }

  /** The place of a chip: behind all that came before it. @param {HTMLElement} chip */
  #place(chip) {
    const subject = subjectOf(chip);
    const place = this.places.get(subject) ?? this.places.size + 1;
    this.places.set(subject, place);
    return place;
  }

  /** The focus stays on its chip. @param {...HTMLElement} chips */
  #replace(...chips) {
    const focused = this.box.contains(document.activeElement) ? document.activeElement : null;
    const same = (/** @type {HTMLElement} */ chip) =>
      focused instanceof HTMLElement && JSON.stringify(chip.dataset) === JSON.stringify(focused.dataset);
    this.box.replaceChildren(...chips);
    for (const each of all(this.box)) each.style.order = String(this.#place(each));
    if (focused !== null) all(this.box).find(same)?.focus({ preventScroll: true });
  }
}

/** @param {HTMLElement} chip @returns {string} what it is of */
function subjectOf({ dataset }) {
  const { word, why, drifted: command } = dataset;
  return word ?? (command === undefined ? `why ${why}` : "drifted");
}

/** @param {HTMLElement} box @returns {HTMLElement[]} */
function all(box) {
  return [...box.querySelectorAll(".chip")].filter((each) => each instanceof HTMLElement);
}

/**
 * @param {string} classes
 * @param {Record<string, string>} attributes
 * @param {number} count
 * @param {string} label
 * @param {...Node} before
 */
function chip(classes, attributes, count, label, ...before) {
  const words = element("span", {}, element("strong", {}, formatCount(count)), ` ${label}`);
  return element("button", { type: "button", class: `chip ${classes}`, ...attributes }, ...before, words);
}

/**
 * @param {number} count
 * @param {boolean} pressed
 */
function alertChip(count, pressed) {
  const title = `${ALERT_MEANING} Click to show only these.`;
  return chip("alert", { "data-word": ALERT_WORD, "aria-pressed": String(pressed), title }, count, alertLabel(count));
}

/**
 * @param {number} count
 * @param {boolean} pressed
 */
function noteChip(count, pressed) {
  const title = `${NOTE_MEANING} Click to show only these.`;
  return chip("calm", { "data-word": NOTE_WORD, "aria-pressed": String(pressed), title }, count, noteLabel(count));
}

/** @param {readonly CommandRow[]} commands newest first */
function driftedChip(commands) {
  const [{ id, reason }] = commands;
  const title = `Applied, and does not hold${reason === null ? "" : `: ${visible(reason)}`}. Click to see the command.`;
  const made = chip("", { "data-drifted": String(id), title }, commands.length, "drifted", stateGlyph(stateCode("nonfinite")));
  made.style.color = "var(--state-nonfinite)";
  return made;
}

/**
 * The latest sample alone is calm; what happened before is told behind it.
 * @param {boolean} measured
 * @param {boolean} ended
 */
function verdict(measured, ended) {
  if (!measured) return element("span", { class: "muted" }, "No sample yet");
  return element("span", { class: "none", title: "In the latest sample" }, tick(), ended ? "No trouble at the end" : "No trouble now");
}

/** @param {string} happened */
function eventsChip(happened) {
  const title = "What happened in this run. Click to list it, the latest open alert first.";
  return element("button", { type: "button", class: "chip calm events", "data-events": "", title }, happened);
}

/**
 * @param {StateName} name
 * @param {number} count
 * @param {boolean} pressed
 */
function stateChip(name, count, pressed) {
  const code = stateCode(name);
  const { meaning, standing } = stateOf(code);
  const title = `${meaning} Click to show only these.`;
  const attributes = { "data-word": stateWord(name), "aria-pressed": String(pressed), title };
  const made = chip(standing === "trouble" ? "" : "calm", attributes, count, name, stateGlyph(code));
  made.style.color = `var(--state-${name})`;
  return made;
}

/**
 * The causes, which go on from the states before them.
 * @param {readonly CauseGroup[]} groups
 * @param {(word: string) => boolean} pressed
 */
function causeChips(groups, pressed) {
  if (groups.length === 0) return [];
  const chips = groups.map(({ cause, count, name }) => {
    const { label, meaning } = causeOf(cause);
    if (name !== null) {
      const title = `${meaning} The model does not have them, so they have no row. Click to see why.`;
      return chip("cause", { "data-why": name, title }, count, `${label}, unregistered`);
    }
    const word = causeWord(cause);
    const title = `${meaning} Click to show only these.`;
    return chip("cause", { "data-word": word, "aria-pressed": String(pressed(word)), title }, count, label);
  });
  return [element("span", { class: "causes", role: "group", "aria-label": "Causes" }, ...chips)];
}
