// The page: loads the description, then shows the contents and every operation, closed.

import { contentsTree } from "./contents.js";
import { Description } from "./description.js";
import { copyButton, make, prose } from "./dom.js";
import { search } from "./find.js";
import { keyField } from "./key.js";
import { operationBox } from "./operation.js";

const base = new URL(".", location.href).href;
const at = (id) => document.getElementById(id);

async function start() {
  const answer = await fetch("openapi.json", { credentials: "omit" });
  if (!answer.ok) throw new Error(`openapi.json was answered with ${answer.status}`);
  const description = new Description(await answer.json(), base);
  introduce(description);
  const tree = contentsTree(description);
  at("contents").append(tree.node);
  const boxes = new Map();
  at("operations").append(...description.dialects.map((dialect) => section(description, dialect, boxes)));
  const shown = new Map([...boxes].map(([id, box]) => [id, [box, tree.entries.get(id).parentElement]]));
  for (const nodes of shown.values()) for (const node of nodes) node.classList.add("leaf");
  const groups = [...at("operations").querySelectorAll(".dialect, .noun"), ...tree.node.querySelectorAll("details")];
  const found = search(at("find"), description, shown, groups, at("found"));
  navigate(boxes, tree, found);
  menu();
  document.documentElement.classList.add("ready");
}

function introduce(description) {
  const { info, components } = description.document;
  at("about").replaceChildren(
    make("p", { class: "lead" }, info.summary),
    ...prose(info.description),
    make("dl", { class: "facts" },
      make("dt", {}, "Server"), make("dd", { class: "row" }, make("code", {}, description.server), copyButton(() => description.server, "address of the server")),
      make("dt", {}, "Version"), make("dd", {}, info.version),
      make("dt", {}, "For programs"), make("dd", {}, make("a", { href: "openapi.json" }, "openapi.json"), " (OpenAPI 3.1)")),
    make("div", { class: "card" }, make("h2", {}, "Your key"), ...prose(components.securitySchemes.bearer.description), keyField("key"),
      make("p", { class: "quiet" }, "“Try it” sends it to this server, and nothing else does. The examples read it from ", make("code", {}, "POSTERN_KEY"), ".")));
}

function section(description, dialect, boxes) {
  return make("section", { class: "dialect", "aria-labelledby": dialect.id },
    make("h2", { id: dialect.id }, dialect.name, " ", make("code", {}, dialect.prefix)),
    ...dialect.nouns.map((noun) => make("div", { class: "noun" },
      make("h3", { id: noun.id }, make("a", { href: `#${noun.id}` }, noun.name)),
      noun.about ? make("p", { class: "quiet" }, noun.about) : null,
      ...noun.operations.map((operation) => {
        const box = operationBox(description, operation, base);
        boxes.set(operation.id, box);
        return box;
      }))));
}

/** The address names what is open: it can be shared, and Back works. */
function navigate(boxes, tree, found) {
  const go = () => {
    const id = decodeURIComponent(location.hash.slice(1));
    tree.open(id);
    const box = boxes.get(id);
    if (!box) {
      at(id)?.scrollIntoView();
      return;
    }
    if (box.hidden) found.clear();
    box.fill();
    box.open = true;
    box.scrollIntoView();
    box.firstElementChild.focus({ preventScroll: true });
    closeMenu();
  };
  addEventListener("hashchange", go);
  for (const [id, box] of boxes) {
    box.firstElementChild.addEventListener("click", () => {
      history.replaceState(null, "", box.open ? location.pathname : `#${id}`);
      tree.open(box.open ? "" : id);
    });
  }
  at("contents").addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (link && link.hash === location.hash) go(); // the same again changes no address
  });
  if (location.hash) go();
}

function menu() {
  at("menu").addEventListener("click", () => {
    const open = at("contents").classList.toggle("open");
    at("menu").setAttribute("aria-expanded", String(open));
    if (open) scrollTo({ top: 0 });
  });
  at("contents").addEventListener("keydown", (event) => {
    if (event.key === "Escape" && at("contents").classList.contains("open")) {
      closeMenu();
      at("menu").focus();
    }
  });
}

function closeMenu() {
  at("contents").classList.remove("open");
  at("menu").setAttribute("aria-expanded", "false");
}

start().catch((error) => {
  at("about").replaceChildren(make("p", { role: "alert" }, `The description could not be loaded: ${error.message}`));
});
