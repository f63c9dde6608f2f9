/**
 * The command log: what was asked for, by whom, and how far it has come, newest first.
 *
 * @typedef {import("../model/records.js").CommandRow} CommandRow
 * @typedef {import("../model/records.js").GateRow} GateRow
 * @typedef {ReturnType<typeof oppositeOf>} Opposite
 */
import { element, goToItem, setName, setText } from "../base/dom.js";
import { formatCount, formatTime, plural } from "../base/format.js";
import { Memo } from "../base/memo.js";
import { visible } from "../base/visible.js";
import { askedFor, draftWords, isGating, kindOf } from "../model/command_kinds.js";
import { formatSaved, howMeasured } from "./savings.js";
import { stages, statement } from "./stages.js";
import { oppositeOf, undoable } from "./undo.js";

export class CommandLog {
  /**
   * @param {HTMLElement} list
   * @param {HTMLElement} announcement a polite live region
   * @param {(command: CommandRow) => void} onUndo
   */
  constructor(list, announcement, onUndo) {
    this.list = list;
    this.announcement = announcement;
    /** @type {Map<number, {key: string, element: HTMLElement}>} */
    this.items = new Map();
    /** @type {Map<number, string>} */
    this.said = new Map();
    /** @type {readonly CommandRow[]} */
    this.commands = [];
    this.drawn = new Memo();
    list.addEventListener("click", (event) => {
      const button = event.target instanceof Element && event.target.closest("[data-undo]");
      const id = button && Number(button.getAttribute("data-undo"));
      const command = this.commands.find((each) => each.id === id);
      if (command !== undefined) onUndo(command);
    });
  }

  /**
   * @param {readonly CommandRow[]} commands newest first
   * @param {readonly GateRow[]} gates
   * @param {string | null} locked why nothing can be changed, or null
   */
  render(commands, gates, locked) {
    this.commands = commands;
    if (!this.drawn.differs(commands, gates, locked)) return;
    if (commands.length === 0) {
      const empty = "Nothing was asked for yet. A click on a snowflake freezes, one on a crossed box gates; the job confirms it here.";
      this.list.replaceChildren(element("li", { class: "empty" }, empty));
      return;
    }
    this.list.querySelector(".empty")?.remove();
    const undos = undoable(commands, gates);
    commands.forEach((command, i) => {
      const undo = undos.has(command.id) ? oppositeOf(command, commands, gates) : null;
      const { id, state, reason, detail, saved } = command;
      const key = JSON.stringify([id, state, undo, locked, reason, detail, saved]);
      const known = this.items.get(command.id);
      if (known?.key !== key) {
        const made = this.#item(command, undo, locked);
        if (known !== undefined) replace(known.element, made);
        this.items.set(command.id, { key, element: made });
      }
      const item = this.items.get(command.id)?.element;
      if (item !== undefined && this.list.children[i] !== item) {
        this.list.insertBefore(item, this.list.children[i] ?? null);
      }
    });
    this.#forget(new Set(commands.map(({ id }) => id)));
    this.#announce(commands);
  }

  /**
   * Bring a command into sight and the focus to it.
   * @param {number} id
   */
  goTo(id) {
    const item = this.items.get(id)?.element;
    if (item !== undefined) goToItem(item);
  }

  /** @param {ReadonlySet<number>} kept ids of the commands that the page keeps */
  #forget(kept) {
    for (const [id, { element: item }] of this.items) {
      if (kept.has(id)) continue;
      item.remove();
      this.items.delete(id);
      this.said.delete(id);
    }
  }

  /**
   * @param {CommandRow} command
   * @param {Opposite} undo
   * @param {string | null} locked
   */
  #item(command, undo, locked) {
    const { verb, object } = askedFor(command);
    const name = element("span", { class: "name" });
    const gating = isGating(command);
    if (gating) setName(name, object);
    else setName(name, command.target === "*" ? "* (the whole model)" : command.target, command.target);
    const item = element(
      "li",
      { "data-command": String(command.id), "data-state": command.state, ...(gating && { "data-gating": "" }) },
      element("span", { class: "what" }, element("strong", {}, verb), name),
      stepper(command),
      element("span", { class: "by", title: `asked for by ${visible(command.by)}` }, visible(command.by)),
      element("span", { class: "when" }, formatTime(command.requested)),
      undo === null ? element("span") : undoButton(undo, command.id, locked),
    );
    const facts = factsOf(command);
    if (facts.length > 0) item.append(element("p", { class: "detail" }, ...facts));
    const reason = command.reason ?? (command.state === "rejected" ? "no reason was given" : null);
    if (reason !== null) item.append(element("p", { class: "detail reason" }, visible(reason)));
    if (command.detail !== null) item.append(element("p", { class: "detail" }, visible(command.detail)));
    if (command.count > 0) item.title = touched(command);
    return item;
  }

  /** @param {readonly CommandRow[]} commands */
  #announce(commands) {
    const first = this.said.size === 0;
    const news = commands.filter((command) => this.said.get(command.id) !== command.state);
    for (const command of news) this.said.set(command.id, command.state);
    if (!first && news.length > 0) setText(this.announcement, news.map(statement).join(". "));
  }
}

/**
 * Put a newer item in an older one's place; the focus stays on its button.
 * @param {HTMLElement} older
 * @param {HTMLElement} newer
 */
function replace(older, newer) {
  const focused = older.contains(document.activeElement);
  older.replaceWith(newer);
  if (focused) newer.querySelector("button")?.focus({ preventScroll: true });
}

/**
 * How many parameters a command touched, and the first of them.
 * @param {CommandRow} command
 */
function touched({ parameters, count }) {
  const more = count > parameters.length ? `, and ${formatCount(count - parameters.length)} more` : "";
  return `${plural(count, "parameter")}: ${parameters.map(visible).join(", ")}${more}`;
}

/**
 * What a command asked for beside its target, and what it saved.
 * @param {CommandRow} command
 */
function factsOf(command) {
  /** @type {(HTMLElement | string)[]} */
  const facts = kindOf(command).options(command);
  const { saved } = command;
  if (saved) facts.push(element("span", { class: "saved", title: howMeasured(saved) }, formatSaved(saved)));
  return facts.flatMap((fact, i) => (i === 0 ? [fact] : [" · ", fact]));
}

/** @param {CommandRow} command */
function stepper(command) {
  const all = stages(command);
  const latest = all.findLastIndex(({ progress }) => progress === "done" || progress === "ended");
  return element(
    "span",
    { class: "stepper" },
    ...all.map(({ label, progress, time }, i) => {
      const word = label.split(" ", 1)[0];
      const classes = `stage ${word} ${progress}${i === latest ? " latest" : ""}`;
      const title = time === null ? `${word}: not yet` : `${word} ${formatTime(time)}`;
      return element("span", { class: classes, title }, element("span", {}, withCount(label)));
    }),
  );
}

/** @param {string} label `applied at step 12345` */
function withCount(label) {
  return label.replace(/\d+$/, (digits) => formatCount(Number(digits)));
}

/**
 * @param {NonNullable<Opposite>} opposite
 * @param {number} id of the command to undo
 * @param {string | null} locked
 */
function undoButton(opposite, id, locked) {
  const title = locked ?? draftWords(opposite);
  const button = element(
    "button",
    { type: "button", class: "button quiet", "data-undo": String(id), title },
    "Undo",
  );
  if (locked !== null) button.setAttribute("disabled", "");
  return button;
}
