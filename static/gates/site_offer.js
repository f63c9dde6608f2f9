/**
 * The sites that the editor offers for a row of the tree, or for a gate that is there.
 *
 * @typedef {import("../model/gate_sites.js").SiteKind} SiteKind
 * @typedef {import("../model/module_tree.js").TreeNode} TreeNode
 * @typedef {import("../model/records.js").GateRow} GateRow
 * @typedef {import("../model/records.js").ParameterRow} ParameterRow
 *
 * @typedef {object} SiteOffer
 * @property {string | null} parameter
 * @property {string | null} module
 * @property {string | null} label of a site that stands in no row of the tree
 */
import { parseSite } from "../model/gate_sites.js";

/**
 * What the editor offers for a row of the tree.
 * @param {TreeNode} node
 * @param {readonly ParameterRow[]} parameters
 * @returns {SiteOffer}
 */
export function offerOfNode(node, parameters) {
  if (node.kind === "module") return { parameter: null, module: node.path, label: null };
  const position = node.parameters[0] ?? node.removed[0];
  return { parameter: node.path, module: parameters[position].module, label: null };
}

/**
 * What the editor offers for a gate that is there.
 * @param {string} site
 * @param {readonly ParameterRow[]} parameters
 * @returns {SiteOffer}
 */
export function offerOfSite(site, parameters) {
  const { kind, name } = parseSite(site);
  if (kind === "site") return { parameter: null, module: null, label: name };
  if (kind !== "param") return { parameter: null, module: name, label: null };
  const row = parameters.find(({ names }) => names.includes(name));
  return { parameter: name, module: row?.module ?? null, label: null };
}

/**
 * The kinds of site that are offered, the likely one first.
 * @param {SiteOffer} offer
 * @returns {SiteKind[]}
 */
export function kindsAt({ parameter, module }) {
  return [
    ...(parameter === null ? [] : /** @type {SiteKind[]} */ (["param"])),
    ...(module === null ? [] : /** @type {SiteKind[]} */ (["output", "input"])),
    "site",
  ];
}

/**
 * @param {SiteOffer} offer
 * @param {SiteKind} kind
 * @param {string} label
 */
export function siteAt({ parameter, module }, kind, label) {
  if (kind === "site") return `site:${label}`;
  return `${kind}:${(kind === "param" ? parameter : module) ?? ""}`;
}

/**
 * The labels of `probe.site(x, label)` that gates name.
 * @param {readonly GateRow[]} gates
 */
export function labelsOf(gates) {
  const sites = gates.map(({ site }) => parseSite(site));
  return [...new Set(sites.filter(({ kind }) => kind === "site").map(({ name }) => name))].sort();
}
