// Writes src/generated/http-checks.ts from the relay's OpenAPI description: a check for each schema of the answers that
// src/relay-reads.ts reads. openapi-typescript writes the types beside it, src/generated/http.ts.
//
//   node scripts/http-checks.mjs           writes the file
//   node scripts/http-checks.mjs --check   fails if the file is stale

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const read = (path) => readFileSync(fileURLToPath(new URL(path, import.meta.url)), "utf8");
const OUTPUT = "../src/generated/http-checks.ts";
const { paths, components } = JSON.parse(read("../../sync-server/openapi.json"));
const { schemas } = components;

/** The checks in the order in which they can be defined: each after those that it uses. */
const definitions = new Map();
const helpers = new Set();

for (const [, path] of read("../src/relay-reads.ts").matchAll(/path: "(\/v1\/[^"]+)"/g)) {
  const [content] = Object.values(paths[path].get.responses["200"].content);
  if (content.schema) checkOf(content.schema);
}

const source = `// Generated from sync-server/openapi.json by \`just types\`. Do not edit.

import { type Check, type Checked, ${[...helpers].sort().join(", ")} } from "../checks.ts";
import type { components } from "./http.ts";

type Schemas = components["schemas"];

${[...definitions].map(([name, check]) => definitionOf(name, check)).join("")}`;

if (!process.argv.includes("--check")) writeFileSync(fileURLToPath(new URL(OUTPUT, import.meta.url)), source);
else if (read(OUTPUT) !== source) throw new Error("pwa-shim/src/generated/http-checks.ts is stale; run `just types`");

function definitionOf(name, check) {
  return `export const ${constantOf(name)}: Check<Checked<Schemas["${name}"]>> = ${check};\n`;
}

/** The expression that checks a value of this schema. */
function checkOf(schema) {
  if (schema.$ref) return referenceTo(schema.$ref.split("/").at(-1));
  const branches = (schema.oneOf ?? []).filter(({ type }) => type !== "null");
  if (branches.length === 1) return orNull(branches[0], checkOf(branches[0]));
  if (branches.length > 1) return variantsOf(branches);
  if (schema.allOf) return call("merged", ...schema.allOf.map(checkOf));
  if (schema.enum)
    return call(schema.enum.length === 1 ? "exactly" : "oneOf", ...schema.enum.map((word) => JSON.stringify(word)));
  const types = [schema.type].flat();
  const [type] = types.filter((one) => one !== "null");
  return types.includes("null") ? orNull(schema, ofType(type, schema)) : ofType(type, schema);
}

function ofType(type, schema) {
  switch (type) {
    case "object":
      return objectOf(schema);
    case "array":
      return call("listOf", checkOf(schema.items));
    case "integer":
    case "number":
      return helper("number");
    case "string":
      return helper("text");
    case "boolean":
      return helper("truth");
    default:
      throw new Error(`openapi.json has a schema of type ${type}, which this script cannot check`);
  }
}

function objectOf({ properties, required = [] }) {
  const fields = Object.entries(properties).map(([name, schema]) => {
    const check = checkOf(schema);
    return `${name}: ${required.includes(name) ? check : orNull(schema, check)}`;
  });
  return call("object", `{\n${fields.map((field) => indented(`${field},\n`)).join("")}}`);
}

/** One of several objects, told apart by a property of which each has one value. */
function variantsOf(branches) {
  const resolved = branches.map((branch) => ({ branch, properties: propertiesOf(branch) }));
  const tagValueOf = (properties, name) => {
    const { enum: words } = resolve(properties[name] ?? {});
    return words?.length === 1 ? words[0] : undefined;
  };
  const tag = Object.keys(resolved[0].properties).find((name) =>
    resolved.every(({ properties }) => tagValueOf(properties, name)),
  );
  if (tag === undefined) throw new Error("openapi.json has objects that no field tells apart, which this script cannot check");
  const byValue = resolved.map(({ branch, properties }) => `${tagValueOf(properties, tag)}: ${checkOf(branch)}`);
  return call("variants", JSON.stringify(tag), `{\n${byValue.map((one) => indented(`${one},\n`)).join("")}}`);
}

function propertiesOf(schema) {
  const { allOf, properties } = resolve(schema);
  return allOf ? Object.assign({}, ...allOf.map(propertiesOf)) : properties;
}

function resolve(schema) {
  return schema.$ref ? schemas[schema.$ref.split("/").at(-1)] : schema;
}

function referenceTo(name) {
  if (!definitions.has(name)) {
    const check = checkOf(schemas[name]);
    definitions.set(name, check);
  }
  return constantOf(name);
}

/** Adds `orNull` unless the check returns `null` for absent values by itself. */
function orNull(schema, check) {
  return /^(orNull|oneOf|variants)\(/.test(check) || isChoice(schema) ? check : call("orNull", check);
}

function isChoice(schema) {
  const { enum: words, oneOf } = resolve(schema);
  return (words?.length ?? 0) > 1 || (oneOf?.length ?? 0) > 1;
}

function call(name, ...parameters) {
  return `${helper(name)}(${parameters.join(", ")})`;
}

function helper(name) {
  helpers.add(name);
  return name;
}

function indented(text) {
  return text.replaceAll(/^(?=.)/gm, "  ");
}

function constantOf(name) {
  return name[0].toLowerCase() + name.slice(1);
}
