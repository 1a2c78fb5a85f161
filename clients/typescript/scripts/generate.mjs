// Writes src/protocol.ts from the protocol's schema. With --check it only says whether that file is current.

import { readFileSync, writeFileSync } from "node:fs";

const schemaFile = new URL("../../../schema/open-think.schema.json", import.meta.url);
const target = new URL("../src/protocol.ts", import.meta.url);

const schema = JSON.parse(readFileSync(schemaFile, "utf8"));
const definitions = schema.$defs;
const methods = Object.entries(schema["x-method"]);

const referenced = (value) => value?.$ref?.split("/").pop();
const isStrings = (value) => typeof value === "object" && ("const" in value || "enum" in value);
const isEnumeration = (value) => isStrings(value) || (value.oneOf?.every(isStrings) ?? false);

/** The definitions that the daemon sends. What is in them may be of a later version than this file. */
const sent = new Set();
const visit = (value) => {
  if (typeof value !== "object" || value === null) return;
  const name = referenced(value);
  if (name !== undefined && !sent.has(name)) {
    sent.add(name);
    visit(definitions[name]);
  }
  Object.values(value).forEach(visit);
};
for (const [, method] of methods) visit(method["x-side"] === "daemon" ? method.result : method.params);

const comment = (text, indent) => {
  if (text === undefined) return "";
  const lines = text.split("\n");
  if (lines.length === 1) return `${indent}/** ${text} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}\n`).join("")}${indent} */\n`;
};

const primitives = { string: "string", integer: "number", number: "number", boolean: "boolean", null: "null" };

/** `open` is whether the daemon sends it. */
const typeOf = (value, open) => {
  if (value === true || value === undefined) return "unknown";
  const name = referenced(value);
  if (name !== undefined) return open && isEnumeration(definitions[name]) ? `Open<${name}>` : name;
  if ("const" in value) return JSON.stringify(value.const);
  if ("enum" in value) return value.enum.map((one) => JSON.stringify(one)).join(" | ");
  const variants = value.oneOf ?? value.anyOf;
  if (variants !== undefined) return variants.map((variant) => typeOf(variant, open)).join(" | ");
  if (value.type === "array") return list(typeOf(value.items, open));
  if (value.properties !== undefined) return `{\n${fields(value, open, "  ")}}`;
  if (Array.isArray(value.type)) return value.type.map((type) => typeOf({ ...value, type }, open)).join(" | ");
  if (value.type === "object") return `Record<string, ${typeOf(value.additionalProperties, open)}>`;
  return primitives[value.type] ?? "unknown";
};

const list = (item) => (item.includes("|") ? `(${item})[]` : `${item}[]`);

const fields = (value, open, indent) => {
  const required = new Set(value.required);
  const field = ([name, property]) => {
    const optional = required.has(name) ? "" : "?";
    return `${comment(property.description, indent)}${indent}${name}${optional}: ${typeOf(property, open)};\n`;
  };
  return Object.entries(value.properties ?? {}).map(field).join("");
};

const structure = (name, value, open) => {
  const head = comment(value.description, "");
  if (Object.keys(value.properties ?? {}).length === 0) return `${head}export type ${name} = Record<string, never>;\n`;
  return `${head}export interface ${name} {\n${fields(value, open, "  ")}}\n`;
};

const enumeration = (name, value) => {
  const variants = (value.oneOf ?? [value]).flatMap((variant) => {
    const values = variant.enum ?? [variant.const];
    return values.map((one) => `${comment(variant.description, "  ")}  | ${JSON.stringify(one)}`);
  });
  return `${comment(value.description, "")}export type ${name} =\n${variants.join("\n")};\n`;
};

/** Variants with titles become types of their own; a daemon may send variants that are not known here. */
const union = (name, value, open) => {
  const variants = value.oneOf ?? value.anyOf;
  const named = variants.filter((variant) => variant.title !== undefined && variant.properties !== undefined);
  const parts = variants.map((variant) => (named.includes(variant) ? variant.title : typeOf(variant, open)));
  const [tag] = Object.entries(named[0]?.properties ?? {}).find(([, property]) => "const" in property) ?? [];
  if (open && tag !== undefined && named.length === variants.length) parts.push(`Unknown<"${tag}">`);
  const types = named.map((variant) => structure(variant.title, variant, open));
  const lines = parts.map((part) => `  | ${part}`).join("\n");
  return [...types, `${comment(value.description, "")}export type ${name} =\n${lines};\n`].join("\n");
};

const definition = ([name, value]) => {
  const open = sent.has(name);
  if (isEnumeration(value)) return enumeration(name, value);
  if (value.oneOf !== undefined || value.anyOf !== undefined) return union(name, value, open);
  if (value.type === "object" && value.additionalProperties === undefined) return structure(name, value, open);
  if (value.properties !== undefined || value.additionalProperties === false) return structure(name, value, open);
  return `${comment(value.description, "")}export type ${name} = ${typeOf(value, open)};\n`;
};

const table = (name, summary, side, isRequest) => {
  const isOfSide = (method) => [side, "both"].includes(method["x-side"]);
  const rows = methods.filter(([, method]) => isOfSide(method) && (method.result !== undefined) === isRequest);
  const row = ([method, { summary: text, params, result }]) => {
    const types = isRequest ? `{ params: ${typeOf(params)}; result: ${typeOf(result)} }` : typeOf(params);
    return `${comment(text, "  ")}  ${JSON.stringify(method)}: ${types};\n`;
  };
  return `/** ${summary} */\nexport interface ${name} {\n${rows.map(row).join("")}}\n`;
};

const text = [
  "// Made by `npm run generate` from schema/open-think.schema.json; not to be changed by hand.\n",
  'import type { Open, Unknown } from "./open.js";\n',
  `export const PROTOCOL_VERSION = ${JSON.stringify(schema["x-version"])};\n`,
  ...Object.entries(definitions).map(definition),
  table("Requests", "What a client may ask.", "daemon", true),
  table("ClientRequests", "What the daemon may ask.", "client", true),
  table("Notifications", "What the daemon tells.", "client", false),
  table("ClientNotifications", "What a client may tell.", "daemon", false),
].join("\n");

if (!process.argv.includes("--check")) {
  writeFileSync(target, text);
} else if (readFileSync(target, "utf8") !== text) {
  console.error("src/protocol.ts is not what the schema says: run `npm run generate` in clients/typescript");
  process.exitCode = 1;
}
