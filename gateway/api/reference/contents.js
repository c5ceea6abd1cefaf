// The table of contents: dialect, noun, operation.

import { breakable, inline, make } from "./dom.js";

/** The tree; `entries` maps each id to its link, `open` shows the way to one. */
export function contentsTree(description) {
  const entries = new Map();
  const node = make("div", { class: "tree" }, ...description.dialects.map((dialect, at) =>
    make("details", { class: "dialect", open: at === 0 },
      make("summary", {}, dialect.name, " ", make("span", { class: "count" }, String(dialect.nouns.reduce((sum, noun) => sum + noun.operations.length, 0)))),
      ...dialect.nouns.map((noun) => make("details", { class: "noun" },
        make("summary", {}, noun.name, " ", make("span", { class: "count" }, String(noun.operations.length))),
        make("ul", {}, ...noun.operations.map((operation) => make("li", {}, link(operation, dialect.prefix, entries)))))))));

  function open(id) {
    node.querySelector("[aria-current]")?.removeAttribute("aria-current");
    const found = entries.get(id);
    if (!found) return;
    found.setAttribute("aria-current", "true");
    for (let box = found.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
    if (found.offsetParent) found.scrollIntoView({ block: "nearest" });
  }
  return { node, entries, open };
}

/** The first words of the summary; the path is under the dialect's prefix. */
function link(operation, prefix, entries) {
  const node = make("a", { href: `#${operation.id}` },
    make("span", { class: `method ${operation.method}` }, operation.method === "DELETE" ? "DEL" : operation.method),
    make("span", {}, ...inline(operation.summary.split(/[:;(]|\. |,(?!.* (?:or|and) )/)[0].trim()), make("span", { class: "where" }, ...breakable(operation.path.slice(prefix.length)))));
  entries.set(operation.id, node);
  return node;
}
