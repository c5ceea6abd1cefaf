// One operation: its heading, and all the rest when it is opened.

import { breakable, code, copyButton, inline, make, prose, tabs } from "./dom.js";
import { fieldList, parameterList } from "./fields.js";
import { Form } from "./form.js";
import { SAMPLES } from "./samples.js";
import { tryIt } from "./tryit.js";

const LANGUAGE = "postern-docs-language";

/** The closed operation; it is filled when it is opened first. `base`: this server, as the page sees it. */
export function operationBox(description, operation, base) {
  const box = make("details", { class: "operation", id: operation.id, toggle: () => {
    if (box.open) box.fill();
  } }, make("summary", {},
    make("span", { class: `method ${operation.method}` }, operation.method),
    make("span", { class: "head" },
      make("span", { class: "title", role: "heading", "aria-level": "4" }, ...inline(operation.summary)),
      make("code", { class: "path" }, ...breakable(operation.path)))));
  box.fill = () => {
    if (box.children.length === 1) box.append(content(description, operation, base));
  };
  return box;
}

function content(description, operation, base) {
  const link = () => new URL(`#${operation.id}`, location.href).href;
  const words = make("div", { class: "words" },
    ...prose(operation.description || ""),
    same(description, operation),
    make("p", { class: "tools" }, copyButton(link, operation.summary, "Copy link"), copyButton(() => operation.path, operation.path, "Copy path")),
    ...parameters(description, operation),
    ...requestBody(description, operation),
    ...answers(description, operation));
  return make("div", { class: "content" }, words, make("div", { class: "beside" }, ...samples(description, operation, base)));
}

function same(description, operation) {
  const other = description.operations.find((one) => one.id === operation["x-postern-same-as"]);
  if (!other) return null;
  return make("p", {}, "The same as ", make("a", { href: `#${other.id}` }, make("code", {}, `${other.method} ${other.path}`)), ", under another path.");
}

function parameters(description, operation) {
  return Object.entries({ path: "Path", query: "Query", header: "Headers" }).flatMap(([place, title]) => {
    const found = operation.parameters.filter((one) => one.in === place);
    return found.length ? [heading(title), parameterList(description, found)] : [];
  });
}

function requestBody(description, operation) {
  if (!operation.requestBody) return [];
  const content = operation.requestBody.content;
  const form = content["multipart/form-data"];
  const media = content["application/json"];
  const about = description.resolve(media.schema).description;
  return [
    heading("Body", "JSON"),
    ...(about ? prose(about) : []),
    form ? make("p", {}, "Or as ", make("code", {}, "multipart/form-data"), ", with the same fields and files as they are.") : null,
    fieldList(description, media.schema),
  ].filter(Boolean);
}

function answers(description, operation) {
  const nodes = [heading("Answers")];
  for (const [status, reference] of Object.entries(operation.responses)) {
    const answer = description.resolve(reference);
    const [type, media] = Object.entries(answer.content || {})[0] || [];
    const good = /^[123]/.test(status);
    const box = make("details", { class: "inner answer", open: good, toggle: () => fill() }, make("summary", {},
      make("span", { class: good ? "good" : "bad" }, status === "default" ? "others" : status), " ",
      answer.description, type && type !== "application/json" ? ` (${type})` : ""));
    const fill = () => {
      if (!box.open || box.children.length > 1 || !media) return;
      const about = description.resolve(media.schema)?.description;
      if (good && about) box.append(...prose(about));
      const list = good ? fieldList(description, media.schema, false) : null;
      if (list) box.append(list);
      const example = description.example(media);
      if (!good && example !== undefined) box.append(code(JSON.stringify(example, null, 2), `${status}, example`, "json"));
    };
    if (good) fill();
    nodes.push(box);
  }
  return nodes;
}

function samples(description, operation, base) {
  const shown = Object.keys(SAMPLES).map((name) => ({ name, panel: make("div", {}, code("", name)) }));
  const form = new Form(description, operation, () => refresh());
  const refresh = () => {
    const request = form.request(description.server, true);
    for (const { name, panel } of shown) panel.firstChild.show(SAMPLES[name](request));
  };
  refresh();
  const box = tabs("Language of the example", shown, language(), (name) => {
    keep(name);
    for (const other of document.querySelectorAll(".tabbed.languages")) if (other !== box) other.choose(name);
  });
  box.classList.add("languages");
  const good = Object.entries(operation.responses).find(([status]) => /^2/.test(status));
  const example = good && description.example(Object.values(description.resolve(good[1]).content || {})[0]);
  const attempt = make("details", { class: "attempt", toggle: () => {
    if (attempt.open && attempt.children.length === 1) attempt.append(tryIt(form, base));
  } }, make("summary", {}, "Try it"));
  return [
    heading("Request"), box, attempt,
    ...(example === undefined ? [] : [heading("Answer", good[0]), code(JSON.stringify(example, null, 2), "example", "json")]),
  ];
}

function heading(text, quiet = "") {
  return make("h5", {}, text, quiet ? make("span", { class: "quiet" }, ` ${quiet}`) : null);
}

function language() {
  try {
    return localStorage.getItem(LANGUAGE) || "curl";
  } catch {
    return "curl";
  }
}

function keep(name) {
  try {
    localStorage.setItem(LANGUAGE, name);
  } catch { /* no storage: this page only */ }
}
