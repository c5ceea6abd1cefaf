// Making nodes. Text is only ever text: nothing here, or in any other file, parses HTML.

/** An element. `attributes`: null, undefined and false are left out, functions become listeners; children: nodes or text. */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** The nodes of one line of Markdown that knows `code` only. */
export function inline(text) {
  return String(text).split(/`([^`]+)`/).map((part, at) => (at % 2 ? make("code", {}, part) : part));
}

/** Paragraphs of Markdown that knows `code` only. */
export function prose(text) {
  return String(text).split(/\n\s*\n/).filter((part) => part.trim()).map((part) => make("p", {}, ...inline(part)));
}

/** A path that may be broken after each slash. */
export function breakable(path) {
  return path.split(/(?<=\/)/).flatMap((part, at) => (at ? [make("wbr"), part] : [part]));
}

const TOKEN = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b/g;
const TOO_LONG = 60_000;

/** JSON text with its parts in colour; what is long stays plain. */
export function coloured(text) {
  if (text.length > TOO_LONG) return [text];
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(TOKEN)) {
    const [whole, quoted, colon, word] = found;
    parts.push(text.slice(at, found.index));
    const kind = quoted ? (colon ? "key" : "text") : word ? "word" : "number";
    parts.push(make("span", { class: `json-${kind}` }, quoted && colon ? quoted : whole));
    if (quoted && colon) parts.push(colon);
    at = found.index + whole.length;
  }
  parts.push(text.slice(at));
  return parts;
}

/** Text in a box that scrolls by itself, with a button that copies it. `kind`: "json" is coloured. */
export function code(text, label, kind = "") {
  const shown = make("pre", { tabindex: "0", role: "group", "aria-label": label }, make("code"));
  const bar = make("div", { class: "bar" }, make("span", { class: "quiet" }, label), copyButton(() => shown.textContent, label));
  const box = make("div", { class: "code" }, bar, shown);
  box.show = (changed) => shown.firstChild.replaceChildren(...(kind === "json" ? coloured(changed) : [changed]));
  box.show(text);
  return box;
}

/** A button that copies what `read` answers. */
export function copyButton(read, label, name = "Copy") {
  const button = make("button", { type: "button", class: "copy", "aria-label": `${name}: ${label}`, click: async () => {
    const done = await copy(read());
    button.textContent = done ? "Copied" : "Not copied";
    setTimeout(() => (button.textContent = name), 1500);
  } }, name);
  return button;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyByCommand(text); // browsers have no clipboard object for pages over plain HTTP
  }
}

function copyByCommand(text) {
  const before = document.activeElement;
  const field = make("textarea", { class: "unseen", "aria-hidden": "true" });
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  before?.focus();
  return done;
}

/** Tabs: `[{name, panel}]`. `chosen` is the name to begin with, `onChoose` gets the name of another. */
export function tabs(label, entries, chosen, onChoose = () => {}) {
  const list = make("div", { class: "tabs", role: "tablist", "aria-label": label });
  const box = make("div", { class: "tabbed" }, list);
  const buttons = entries.map(({ name, panel }, at) => {
    const id = `tab-${(count += 1)}`;
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", id);
    panel.id = `${id}-panel`;
    const button = make("button", { type: "button", role: "tab", id, "aria-controls": panel.id, click: () => choose(at), keydown: (event) => move(event, at) }, name);
    list.append(button);
    box.append(panel);
    return button;
  });
  function choose(wanted, tell = true) {
    entries.forEach(({ panel }, at) => {
      panel.hidden = at !== wanted;
      buttons[at].setAttribute("aria-selected", String(at === wanted));
      buttons[at].tabIndex = at === wanted ? 0 : -1;
    });
    if (tell) onChoose(entries[wanted].name);
  }
  function move(event, at) {
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: entries.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const wanted = (to + entries.length) % entries.length;
    choose(wanted);
    buttons[wanted].focus();
  }
  box.choose = (name) => choose(Math.max(0, entries.findIndex((entry) => entry.name === name)), false);
  box.choose(chosen);
  return box;
}

let count = 0;
