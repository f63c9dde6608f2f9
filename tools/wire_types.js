/**
 * Writes static/wire.d.ts, the types of what the page and the server tell each other, from
 * docs/protocol.schema.json; with `--check` it says whether the file is as it would be written.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { compile } from "json-schema-to-typescript";

const SCHEMA = new URL("../docs/protocol.schema.json", import.meta.url);
const TYPES = new URL("../static/wire.d.ts", import.meta.url);
const BANNER = "/** Generated from docs/protocol.schema.json by `make wire`; do not edit. */";
/** Between the probe and the server; no page hears of it. */
const NOT_THE_PAGES = ["probe_to_server", "server_to_probe"];

/**
 * A schema without its fields' titles, which would make a type of each field.
 * @param {unknown} schema
 * @param {boolean} [named] are the keys names of fields or types, not words of the schema?
 * @returns {any}
 */
function untitled(schema, named = false) {
  if (Array.isArray(schema)) return schema.map((each) => untitled(each));
  if (typeof schema !== "object" || schema === null) return schema;
  const kept = Object.entries(schema).filter(([key]) => named || key !== "title");
  return Object.fromEntries(kept.map(([key, value]) => [key, untitled(value, !named && (key === "properties" || key === "$defs"))]));
}

/** @returns {Promise<string>} */
async function types() {
  const schema = untitled(JSON.parse(readFileSync(SCHEMA, "utf8")));
  for (const name of NOT_THE_PAGES) delete schema.properties[name];
  schema.required = Object.keys(schema.properties);
  const { description: _description, ...rest } = schema;
  const text = await compile(rest, "Wire", {
    additionalProperties: false,
    bannerComment: BANNER,
    maxItems: -1,
    style: { printWidth: 110 },
  });
  return text.replaceAll(/^ \*\n \* This (interface|type) was referenced by [^]*?(?= \*\/)|^\/\*\*\n \* This (interface|type) was referenced by [^]*?\*\/\n/gm, "");
}

const made = await types();
if (!process.argv.includes("--check")) writeFileSync(TYPES, made);
else if (readFileSync(TYPES, "utf8") !== made) {
  console.error("error: static/wire.d.ts is not what docs/protocol.schema.json says: run `make wire`");
  process.exitCode = 1;
}
