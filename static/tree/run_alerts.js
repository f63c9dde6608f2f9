/**
 * What the job tells unasked of the whole run: a line each, below the troubles; notes are quieter.
 *
 * @typedef {import("../wire.js").Alert} Alert
 */
import { element } from "../base/dom.js";
import { formatCount } from "../base/format.js";
import { prose } from "../base/prose.js";
import { visible } from "../base/visible.js";
import { causeLabel } from "../model/alerts.js";

export class RunAlerts {
  /** @param {HTMLElement} list */
  constructor(list) {
    this.list = list;
    this.key = "";
  }

  /** @param {readonly Alert[]} alerts of the whole run */
  render(alerts) {
    const key = JSON.stringify(alerts);
    if (key === this.key) return;
    this.key = key;
    this.list.hidden = alerts.length === 0;
    this.list.replaceChildren(...alerts.map(line));
  }
}

/** @param {Alert} alert */
function line({ cause, detail, where, since_step, level }) {
  const since = element("span", { class: "since" }, `since step ${formatCount(since_step)}${where ? `, ${visible(where)}` : ""}`);
  const head = element("p", { class: "head" }, element("strong", {}, causeLabel(cause)), " ", since);
  return element("li", { class: level ?? "alert" }, head, element("p", {}, ...prose(detail ?? "")));
}
