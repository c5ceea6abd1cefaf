// The API description: /openapi.json, in the order in which the page shows it.

const METHODS = ["get", "post", "put", "patch", "delete"];

/** Reads an OpenAPI document; `base` is this page's own address, where a server's address is relative. */
export class Description {
  constructor(document, base) {
    this.document = document;
    this.server = new URL(document.servers?.[0]?.url || ".", base).href.replace(/\/$/, "");
    const about = new Map(document.tags.map((tag) => [tag.name, tag.description]));
    const byTag = new Map();
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const method of METHODS.filter((one) => one in methods)) {
        const operation = { ...methods[method], id: methods[method].operationId, method: method.toUpperCase(), path };
        byTag.set(operation.tags[0], [...(byTag.get(operation.tags[0]) || []), operation]);
      }
    }
    this.dialects = document["x-tagGroups"].map(({ name, prefix, tags }) => ({
      name,
      prefix,
      id: slug(name),
      nouns: tags.map((tag) => ({
        name: tag.slice(name.length + 2) || name,
        id: slug(tag),
        about: about.get(tag) || "",
        operations: byTag.get(tag) || [],
      })).sort((one, other) => one.name.localeCompare(other.name)),
    }));
    this.operations = this.dialects.flatMap((dialect) => dialect.nouns.flatMap((noun) => noun.operations));
  }

  /** What a `$ref` names; anything else as it is. */
  resolve(value) {
    if (!value || !value.$ref) return value;
    const found = value.$ref.slice(2).split("/").reduce((node, key) => node[key], this.document);
    return { ...this.resolve(found), ...without(value, "$ref") };
  }

  /** The example of a media type, as a value; undefined for none. */
  example(media) {
    if (!media) return undefined;
    if ("example" in media) return media.example;
    const first = Object.values(media.examples || {})[0];
    return first && this.resolve(first).value;
  }

  /** A schema without its null, and whether it had one. */
  bare(schema) {
    const whole = this.resolve(schema) || {};
    const kinds = (whole.anyOf || []).filter((one) => one.type !== "null");
    if (!whole.anyOf || kinds.length !== 1) return { schema: whole, nullable: (whole.anyOf || []).length > kinds.length };
    return { schema: { ...this.resolve(kinds[0]), ...without(whole, "anyOf") }, nullable: kinds.length < whole.anyOf.length };
  }

  /** The type in words. */
  type(schema) {
    const { schema: bare, nullable } = this.bare(schema);
    const or = nullable ? " or null" : "";
    if (bare.anyOf) return bare.anyOf.filter((one) => one.type !== "null").map((one) => this.type(one)).join(" or ") + or;
    if (bare.enum) return "one of" + or;
    if (bare.type === "array") return (bare.items ? `list of ${plural(this.type(bare.items))}` : "list") + or;
    return (bare.type === "object" ? "object" : bare.format || bare.type || "anything") + or;
  }

  /** The fields of an object, or of the objects in a list: `[name, schema, required]`. */
  fields(schema) {
    const { schema: bare } = this.bare(schema);
    if (bare.type === "array" && bare.items) return this.fields(bare.items);
    const inner = (bare.anyOf || []).map((one) => this.fields(one)).find((found) => found.length);
    if (inner) return inner;
    if (bare.additionalProperties && bare.additionalProperties !== true) return this.fields(bare.additionalProperties);
    return Object.entries(bare.properties || {}).map(([name, field]) => [name, field, (bare.required || []).includes(name)]);
  }

  /** Everything of an operation that a search looks in. */
  words(operation) {
    const body = operation.requestBody?.content?.["application/json"]?.schema;
    const names = [...operation.parameters.map((one) => one.name), ...(body ? this.fields(body).map(([name]) => name) : [])];
    const access = operation["x-postern-access"]?.permissions || [];
    return [operation.method, operation.path, operation.summary, operation.description || "", operation.tags[0], operation.id, ...names, ...access].join(" ").toLowerCase();
  }
}

function without(value, name) {
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== name));
}

function plural(type) {
  return /^(string|integer|number|object|boolean)$/.test(type) ? `${type}s` : type;
}

function slug(text) {
  return text.toLowerCase().replace(/[^a-z0-9]+/g, "-");
}
