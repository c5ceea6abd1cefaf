// Sends a request to this server and shows the answer. What comes back is hostile: it is only ever shown as text.

import { code, make } from "./dom.js";
import { Wrong } from "./form.js";
import { currentKey, keyField } from "./key.js";

const SHOWN = 300_000; // characters of an answer

/** The part of an operation that tries it. `base`: this server, as the page sees it. */
export function tryIt(form, base) {
  const { operation } = form;
  const result = make("div", { class: "result" });
  const said = make("p", { class: "said", role: "status" });
  const send = make("button", { type: "submit", class: `send ${operation.method}` }, `Send ${operation.method}`);
  const stop = make("button", { type: "button", class: "small", hidden: true, click: () => under?.abort() }, "Stop");
  let under = null;
  const panel = make("form", { class: "try", novalidate: true, submit: async (event) => {
    event.preventDefault();
    if (under) return;
    clearWrong(form);
    under = new AbortController();
    send.disabled = true;
    stop.hidden = false;
    said.textContent = "Waiting for the answer…";
    result.replaceChildren();
    try {
      const answer = await ask(form.request(base), under.signal);
      said.replaceChildren(...summary(answer));
      result.replaceChildren(...parts(answer));
    } catch (error) {
      said.replaceChildren(make("strong", { class: "bad" }, under.signal.aborted ? "Stopped" : explain(error, form)));
    }
    under = null;
    send.disabled = false;
    stop.hidden = true;
  } }, form.node, operation["x-postern-access"]?.open ? null : keyField(`key-${operation.id}`),
  operation.method === "GET" ? null : make("p", { class: "quiet small-text" }, "It is done for real, on this server."),
  make("div", { class: "row" }, send, stop), said, result);
  return panel;
}

async function ask(request, signal) {
  const headers = new Headers({ Accept: "application/json, */*" });
  for (const [name, value] of request.headers) headers.set(name, value);
  if (request.keyed && currentKey()) headers.set("Authorization", `Bearer ${currentKey()}`);
  let body;
  if (request.body !== undefined) {
    headers.set("Content-Type", "application/json");
    body = JSON.stringify(request.body);
  }
  const began = performance.now();
  const answer = await fetch(request.url, { method: request.method, headers, body, signal, credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer" });
  const octets = new Uint8Array(await answer.arrayBuffer());
  return { answer, octets, milliseconds: performance.now() - began };
}

function summary({ answer, octets, milliseconds }) {
  return [
    make("strong", { class: answer.ok ? "good" : "bad" }, `${answer.status} ${answer.statusText}`.trim()),
    ` in ${Math.round(milliseconds)} ms, ${octets.length.toLocaleString("en")} octets`,
  ];
}

function parts({ answer, octets }) {
  const type = answer.headers.get("content-type") || "";
  const shown = [];
  if (octets.length) shown.push(body(octets, type));
  const headers = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  shown.push(make("details", { class: "inner" }, make("summary", {}, "Headers of the answer"), code(headers, "headers of the answer")));
  return shown;
}

function body(octets, type) {
  if (!/json|text|xml|javascript|rfc822/.test(type)) return make("p", {}, `${octets.length.toLocaleString("en")} octets of ${type || "an unknown type"}`);
  let text = new TextDecoder().decode(octets);
  let kind = "";
  try {
    text = JSON.stringify(JSON.parse(text), null, 2);
    kind = "json";
  } catch { /* no JSON: as it came */ }
  const box = code(text.slice(0, SHOWN), "answer", kind);
  if (text.length > SHOWN) box.append(make("p", { class: "quiet" }, `The first ${SHOWN.toLocaleString("en")} characters.`));
  return box;
}

function explain(error, form) {
  if (!(error instanceof Wrong)) return `No answer: ${error.message}`;
  error.field.setAttribute("aria-invalid", "true");
  error.field.focus();
  const box = error.field.closest("details.more");
  if (box) box.open = true;
  return error.message;
}

function clearWrong(form) {
  for (const field of form.node.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}
