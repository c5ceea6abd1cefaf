// The API key of "Try it": in memory, and in this tab's session storage when asked for. Never in a URL.

import { make } from "./dom.js";

const NAME = "postern-docs-key";
const fields = new Set();
let key = stored() || "";
let kept = key !== "";

/** The key, or "". */
export const currentKey = () => key;

/** A field for the key; all of them show the same one. */
export function keyField(id) {
  const input = make("input", { id, type: "password", autocomplete: "off", spellcheck: "false", placeholder: "inai_…, om_… or mk_…", input: () => set(input.value.trim(), kept, input) });
  const keep = make("input", { id: `${id}-keep`, type: "checkbox", change: () => set(key, keep.checked) });
  const show = make("button", { type: "button", class: "small", "aria-pressed": "false", click: () => {
    input.type = input.type === "password" ? "text" : "password";
    show.setAttribute("aria-pressed", String(input.type === "text"));
  } }, "Show");
  const refresh = (from) => {
    if (from !== input) input.value = key;
    keep.checked = kept;
  };
  fields.add(refresh);
  refresh();
  return make("div", { class: "key" },
    make("label", { for: id }, "API key"),
    make("div", { class: "row" }, input, show),
    make("label", { class: "check", for: keep.id }, keep, " Keep it until this tab is closed"));
}

function set(value, keep, from) {
  key = value;
  kept = keep;
  try {
    if (kept && key) sessionStorage.setItem(NAME, key);
    else sessionStorage.removeItem(NAME);
  } catch { /* no storage: it stays in memory */ }
  for (const refresh of fields) refresh(from);
}

function stored() {
  try {
    return sessionStorage.getItem(NAME);
  } catch {
    return null;
  }
}
