// Fields and parameters as lists: name, type, whether required, meaning, bounds; objects open on demand.

import { inline, make } from "./dom.js";

/** The list of a schema's fields; null where it has none. `marked`: the required ones are, and come first. */
export function fieldList(description, schema, marked = true) {
  const fields = description.fields(schema);
  if (!fields.length) return null;
  if (marked) fields.sort(([, , one], [, , other]) => other - one);
  return make("ul", { class: "fields" }, ...fields.map(([name, field, required]) => entry(description, name, field, marked && required)));
}

/** The list of some parameters. */
export function parameterList(description, parameters) {
  return make("ul", { class: "fields" }, ...parameters.map((one) =>
    entry(description, one.name, { ...one.schema, description: one.description }, one.required)));
}

function entry(description, name, field, required) {
  const { schema } = description.bare(field);
  const item = make("li", {},
    make("code", { class: "name" }, name), " ",
    make("span", { class: "type" }, description.type(field)), " ",
    required ? make("span", { class: "required" }, "required") : null);
  const words = field.description || schema.description;
  if (words) item.append(make("div", { class: "meaning" }, ...inline(words)));
  const bounds = boundsOf(schema, field);
  if (bounds.length) item.append(make("div", { class: "bounds" }, ...bounds));
  if (description.fields(field).length) item.append(inner(description, name, field));
  return item;
}

function inner(description, name, field) {
  const box = make("details", { class: "inner", toggle: () => {
    if (box.open && box.children.length === 1) box.append(fieldList(description, field));
  } }, make("summary", {}, "Fields of ", make("code", {}, name)));
  return box;
}

function boundsOf(schema, field) {
  const told = [];
  const list = (values) => values.flatMap((value, at) => [at ? ", " : "", make("code", {}, String(value))]);
  const add = (...nodes) => told.push(told.length ? "; " : "", ...nodes);
  const values = schema.enum || schema.items?.enum;
  if (values) add("one of ", ...list(values));
  const standard = field.default ?? schema.default;
  if (standard !== undefined && standard !== null && JSON.stringify(standard) !== "[]" && standard !== "") add("default ", make("code", {}, JSON.stringify(standard)));
  if (schema.minLength) add(`at least ${schema.minLength} character${schema.minLength > 1 ? "s" : ""}`);
  if (schema.maxLength) add(`at most ${schema.maxLength.toLocaleString("en")} characters`);
  if (schema.minimum !== undefined) add(`at least ${schema.minimum}`);
  if (schema.maximum !== undefined) add(`at most ${schema.maximum}`);
  if (schema.additionalProperties?.type) add(`a map of names to ${schema.additionalProperties.type}s`);
  return told;
}
