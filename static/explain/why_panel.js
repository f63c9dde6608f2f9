/**
 * The panel that explains one parameter: its alerts and notes, the verdict, the line of code, what to do, and the gradient's
 * way from the loss back to it. All that comes from the job is set as text.
 *
 * @typedef {import("../model/records.js").CommandRow} CommandRow
 * @typedef {import("../wire.js").Alert} Alert
 * @typedef {import("../wire.js").Explanation} Explanation
 * @typedef {import("../model/records.js").Explanations} Explanations
 * @typedef {import("./explanation_words.js").ExplainedParameter} ExplainedParameter
 *
 * @typedef {object} WhyContent
 * @property {string} name
 * @property {ExplainedParameter} subject
 * @property {Explanations} answer
 * @property {readonly CommandRow[]} commands newest first
 * @property {string | null} locked why nothing can be asked, or null
 * @property {string} refusal why the server did not take the latest question, or ""
 * @property {string} optimizer what the optimizer does with it, or ""
 */
import { element, find, setAttribute, setName, setText } from "../base/dom.js";
import { formatCount } from "../base/format.js";
import { Memo } from "../base/memo.js";
import { prose } from "../base/prose.js";
import { visible } from "../base/visible.js";
import { alertSentence } from "../model/alerts.js";
import { causeOf, causePath, rowWords } from "../model/causes.js";
import { stateGlyph } from "../model/state_glyph.js";
import { stateCode } from "../model/states.js";
import { alikeTo } from "../model/verdicts.js";
import { adviceHeading, askedWords, closedGateWords, standing, toldHeading, traceWords } from "./explanation_words.js";
import { pathView } from "./path_view.js";
import { sourceView } from "./source_view.js";

/** Parameters named of those that have the same cause at the same line. */
const MOST_ALIKE = 3;
/** As in explain.css: from this width on the way stands beside the words; a station; what is above the stations. */
const LAYOUT = Object.freeze({ wide: 820, station: 22, beside: 40, below: 330 });

export class WhyPanel {
  /**
   * @param {HTMLElement} panel
   * @param {object} handlers
   * @param {() => void} handlers.onAgain
   * @param {(name: string) => void} handlers.onOpen
   * @param {(id: number) => void} handlers.onGate
   * @param {() => void} handlers.onClose
   */
  constructor(panel, { onAgain, onOpen, onGate, onClose }) {
    this.element = panel;
    this.again = find(panel, ".again");
    this.body = find(panel, ".why-body");
    this.gates = find(panel, ".closed-gates");
    this.told = find(panel, ".told");
    this.verdict = find(panel, ".verdict");
    this.drawn = new Memo();
    this.named = new Memo();
    /** Set when a person opened it: the focus goes to it as soon as it is in sight. */
    this.wantsFocus = false;
    find(panel, ".close").addEventListener("click", onClose);
    this.again.addEventListener("click", () => {
      if (this.again.getAttribute("aria-disabled") !== "true") onAgain();
    });
    panel.addEventListener("click", ({ target }) => {
      const other = target instanceof Element && target.closest("[data-explain]");
      if (other) onOpen(other.getAttribute("data-explain") ?? "");
      const gate = target instanceof Element && target.closest("[data-gate]");
      if (gate) onGate(Number(gate.getAttribute("data-gate")));
    });
  }

  hide() {
    this.element.hidden = true;
  }

  /** @param {WhyContent} content */
  show({ name, subject, answer, commands, locked, refusal, optimizer }) {
    this.element.hidden = false;
    const { explanation } = subject;
    const asked = explanation !== null || subject.told.length > 0 || subject.gates.length > 0 || !subject.known;
    setText(find(this.element, ".question"), asked ? "Why" : "Parameter");
    setName(find(this.element, "header .name"), name);
    this.#drawState(subject);
    this.#drawAsking(commands, answer, locked, refusal);
    const words = standing(subject, answer);
    const place = find(this.element, ".standing");
    place.hidden = words === null;
    setText(place, words?.text ?? "");
    setAttribute(place, "data-tone", words?.tone ?? null);
    const held = find(this.element, ".optimizer");
    held.hidden = optimizer === "";
    setText(held, optimizer);
    const gates = subject.gates.map((closed) => ({ id: closed.gate.id, words: closedGateWords(closed) }));
    if (this.drawn.differs(name, explanation, JSON.stringify(subject.told), JSON.stringify(gates))) {
      this.gates.replaceChildren(...gates.map(gateView));
      this.told.replaceChildren(...subject.told.map((alert) => toldView(alert, explanation)));
      this.verdict.replaceChildren(...(explanation === null ? [] : verdictParts(explanation, answer, this.#room())));
    }
    // Where a person has scrolled to stays, whatever comes in.
    if (this.named.differs(name)) this.body.scrollTop = 0;
    setText(find(this.element, ".traced"), traceWords(answer, commands));
    if (!this.wantsFocus) return;
    this.wantsFocus = false;
    this.element.focus();
    this.element.scrollIntoView({ block: "nearest" });
  }

  /** For how many stations there is room without scrolling. */
  #room() {
    const { clientWidth, clientHeight } = this.element;
    const above = clientWidth >= LAYOUT.wide ? LAYOUT.beside : LAYOUT.below;
    return Math.floor((clientHeight - above) / LAYOUT.station);
  }

  /** @param {ExplainedParameter} subject */
  #drawState({ state, explanation, holds, told }) {
    const box = find(this.element, "header .state");
    const cause = explanation !== null && holds ? explanation.cause : (told.find((alert) => alert.cause !== null)?.cause ?? null);
    const said = state === null ? { state, cause } : rowWords(state, cause);
    const label = cause === null || said.cause === null ? null : causeOf(cause).label;
    const words = [said.state, label].filter((word) => word !== null).join(" · ");
    if (box.textContent === words) return;
    box.replaceChildren(...(state === null ? [] : [stateGlyph(stateCode(state))]), element("span", {}, words));
    box.style.color = state === null ? "" : `var(--state-${state})`;
  }

  /**
   * @param {readonly CommandRow[]} commands
   * @param {Explanations} answer
   * @param {string | null} locked
   * @param {string} refusal
   */
  #drawAsking(commands, answer, locked, refusal) {
    const { pending, text } = askedWords(commands, answer);
    const barred = locked ?? (pending ? "The job has not answered yet" : null);
    setText(this.again, answer.step === null ? "Explain" : "Explain again");
    setAttribute(this.again, "aria-disabled", barred === null ? null : "true");
    setAttribute(this.again, "title", barred ?? "The job traces its next step, which takes longer than others");
    const place = find(this.element, ".asked");
    const said = refusal === "" ? text : refusal;
    place.hidden = said === "";
    setText(place, said === "" ? "" : `Explain ${said}`);
    setAttribute(place, "data-pending", pending && refusal === "" ? "true" : null);
  }
}

/**
 * A closed gate, which leads to its place in the list.
 * @param {{id: number, words: string}} gate
 */
function gateView({ id, words }) {
  const link = element("button", { type: "button", class: "link", "data-gate": String(id), title: "Show it in the list of gates" }, `Gate ${id}`);
  return element("p", {}, stateGlyph(stateCode("gated")), element("span", {}, link, " ", words));
}

/**
 * An alert or a note; what the verdict below says of it is not said twice.
 * @param {Alert} alert
 * @param {Explanation | null} explanation
 */
function toldView(alert, explanation) {
  const heading = element("h3", {}, toldHeading(alert));
  const same = explanation !== null && explanation.detail === alert.detail;
  const words = same ? [] : [element("p", { class: "detail" }, ...prose(alertSentence(alert))), ...sourceView(alert.where ?? null, null)];
  const about = same || alert.cause === null ? [] : aboutCause(alert.cause);
  return element("div", { class: alert.level === "note" ? "note" : "alert" }, heading, ...words, ...about);
}

/** The way to what there is to read of a cause. @param {string} cause */
function aboutCause(cause) {
  const href = causePath(cause);
  return href === null ? [] : [element("p", {}, element("a", { href }, `About “${causeOf(cause).label}”`))];
}

/**
 * @param {Explanation} explanation
 * @param {Explanations} answer
 * @param {number} room for so many stations
 */
function verdictParts(explanation, answer, room) {
  const { cause, detail, advice, where, source, path } = explanation;
  const words = element(
    "div",
    { class: "words" },
    element("p", { class: "detail" }, ...prose(detail)),
    ...alike(alikeTo(answer.explanations, explanation)),
    ...sourceView(where, source),
    element("h3", {}, adviceHeading(cause)),
    element("p", { class: "advice" }, ...prose(advice)),
    ...aboutCause(cause),
  );
  return [words, pathView(path, room)];
}

/**
 * The parameters that the same change would mend.
 * @param {readonly Explanation[]} others
 */
function alike(others) {
  if (others.length === 0) return [];
  const named = others.slice(0, MOST_ALIKE).map(({ name }) => {
    const label = element("span", { class: "name" });
    setName(label, name);
    return element("button", { type: "button", class: "link", "data-explain": name, title: visible(name) }, label);
  });
  const rest = others.length - named.length;
  const more = rest > 0 ? [element("span", { class: "muted" }, `and ${formatCount(rest)} more`)] : [];
  return [element("p", { class: "alike" }, element("span", { class: "muted" }, "The same for"), ...named, ...more)];
}
