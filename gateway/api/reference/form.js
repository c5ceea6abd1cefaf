// The form of an operation: its parameters and its body, read as a request.

import { make } from "./dom.js";

const remembered = new Map(); // what was typed for a parameter of a path, for the next operation
let count = 0;

/** Something in the form does not do; `field` is the element that holds it. */
export class Wrong extends Error {
  constructor(message, field) {
    super(message);
    this.field = field;
  }
}

/** `onChange` is called whenever the request may be another. */
export class Form {
  constructor(description, operation, onChange) {
    this.operation = operation;
    this.description = description;
    this.inputs = operation.parameters.map((parameter) => ({ parameter, input: this.#input(parameter) }));
    const media = operation.requestBody?.content?.["application/json"];
    if (media) {
      const example = description.example(media);
      this.body = make("textarea", { id: this.#id("body"), spellcheck: "false", rows: "8", wrap: "off" });
      this.body.value = JSON.stringify(example === undefined ? {} : example, null, 2);
      this.body.rows = Math.min(18, this.body.value.split("\n").length + 1);
    }
    this.node = make("div", { class: "form", input: onChange, change: onChange },
      ...this.inputs.map(({ parameter, input }) => this.#labelled(parameter, input)),
      this.body ? make("div", { class: "field" }, make("label", { for: this.body.id }, "Body (JSON)"), this.body) : null);
  }

  /** The request; with `examples` what is missing is filled in for show. Raises Wrong otherwise. */
  request(base, examples = false) {
    let path = this.operation.path;
    const query = new URLSearchParams();
    const headers = [];
    for (const { parameter, input } of this.inputs) {
      const value = input.value.trim() || (examples && parameter.required ? String(parameter.example ?? parameter.name) : "");
      if (!value && parameter.required) throw new Wrong(`${parameter.name} is required`, input);
      if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(value).replaceAll("%40", "@"));
      else if (!value) continue;
      else if (parameter.in === "header") headers.push([parameter.name, value]);
      else for (const one of isList(parameter) ? value.split(",") : [value]) query.append(parameter.name, one.trim());
    }
    const asked = query.size ? `?${query}` : "";
    return {
      method: this.operation.method,
      url: base.replace(/\/$/, "") + path + asked,
      headers,
      body: this.#json(examples),
      keyed: !this.operation["x-postern-access"]?.open,
      empty: "204" in this.operation.responses,
    };
  }

  #json(examples) {
    if (!this.body || !this.body.value.trim()) return undefined;
    try {
      return JSON.parse(this.body.value);
    } catch (error) {
      if (examples) return undefined;
      throw new Wrong(`the body is not JSON: ${error.message}`, this.body);
    }
  }

  #id(name) {
    return `field-${(count += 1)}-${name.replace(/[^A-Za-z0-9_-]/g, "")}`;
  }

  #labelled(parameter, input) {
    return make("div", { class: "field" },
      make("label", { for: input.id }, make("code", {}, parameter.name), parameter.required ? make("span", { class: "required" }, " required") : null),
      input);
  }

  #input(parameter) {
    const schema = this.description.bare(parameter.schema).schema;
    const id = this.#id(parameter.name);
    const choices = schema.enum || (schema.type === "boolean" ? ["true", "false"] : null);
    if (choices) {
      return make("select", { id }, make("option", { value: "" }, "(not sent)"), ...choices.map((one) => make("option", { value: one }, String(one))));
    }
    const hint = parameter.example ?? (isList(parameter) ? "one, another" : schema.default);
    const input = make("input", { id, type: "text", inputmode: schema.type === "integer" ? "numeric" : null, placeholder: hint === null || hint === undefined ? null : String(hint), autocomplete: "off", spellcheck: "false", "aria-required": parameter.required ? "true" : null });
    if (parameter.name === "Idempotency-Key" && parameter.required) input.value = uuid();
    if (parameter.in === "path") {
      input.value = remembered.get(parameter.name) || "";
      input.addEventListener("input", () => remembered.set(parameter.name, input.value));
    }
    return input;
  }
}

function isList(parameter) {
  return parameter.schema.type === "array" || (parameter.schema.anyOf || []).some((one) => one.type === "array");
}

/** A random UUID; the browser's own is not there on pages over plain HTTP. */
function uuid() {
  const octets = crypto.getRandomValues(new Uint8Array(16));
  octets[6] = (octets[6] & 15) | 64;
  octets[8] = (octets[8] & 63) | 128;
  return [...octets].map((one) => one.toString(16).padStart(2, "0")).join("").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
