// What OpenMail's two clients put on the wire, and what they demand of the answer. Neither package is published where
// a test could install it, so their habits are repeated here in our own words: first the 20 operations of the SDK
// (an empty cookie header, limit and offset always, JSON or nothing), then the command line's calls.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto"; // no global in the modules of Node 18
import { createInterface } from "node:readline";

const { base, key, hook } = JSON.parse(process.env.POSTERN_FACTS);

async function raw(method, path, { body, headers = {}, ...more } = {}) {
  const form = body instanceof FormData;
  return fetch(base + path, {
    method,
    headers: {
      Authorization: `Bearer ${key}`,
      ...(body !== undefined && !form ? { "Content-Type": "application/json" } : {}),
      ...headers,
    },
    body: body === undefined || form ? body : JSON.stringify(body),
    ...more,
  });
}

// the SDK refuses a status it does not know, and any answer that is not JSON where JSON is declared
async function sdk(method, path, status, options = {}) {
  const answer = await raw(method, path, {
    ...options,
    headers: { Accept: "application/json", cookie: "", ...options.headers },
  });
  assert.equal(answer.status, status, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
  if (status === 204) return undefined;
  assert.match(answer.headers.get("content-type") ?? "", /^application\/json(;|$)/);
  return answer.json();
}

// the command line takes any 2xx; 204 is "ok", other text is JSON
async function cli(method, path, options) {
  const answer = await raw(method, path, options);
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.status === 204 ? { ok: true } : JSON.parse(await answer.text());
}

const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
async function ask(question) {
  console.log(JSON.stringify(question));
  return JSON.parse((await input.next()).value);
}

const page = "?limit=50&offset=0";
const date = (text) => assert.ok(text.endsWith("Z") && !Number.isNaN(Date.parse(text)), text);

// --- the SDK -------------------------------------------------------------------------------------------------
const pod = await sdk("POST", "/v1/pods", 201, { body: { clientId: "tenant/7", name: null } });
date(pod.createdAt);
const pods = await sdk("GET", `/v1/pods${page}`, 200);
assert.deepEqual([pods.total, pods.data.length, pods.data[0].isDefault], [2, 2, true]);
const byClientId = `/v1/pods/${encodeURIComponent("tenant/7")}`;
assert.equal((await sdk("GET", byClientId, 200)).id, pod.id);
assert.equal((await sdk("PATCH", byClientId, 200, { body: { name: "Seven" } })).name, "Seven");
await sdk("DELETE", byClientId, 204);

const inbox = await sdk("POST", "/v1/inboxes", 201, { body: { displayName: "Ada", webhookUrl: hook } });
assert.ok(inbox.webhookSecret);
const listed = await sdk("GET", `/v1/inboxes${page}`, 200);
assert.deepEqual(listed.data.map((one) => one.id), [inbox.id]);
assert.equal((await sdk("GET", `/v1/inboxes/${inbox.id}`, 200)).webhookSecret ?? null, null);
const at = `/v1/inboxes/${inbox.id}`;
assert.equal((await sdk("PATCH", at, 200, { body: { displayName: "Ada L." } })).displayName, "Ada L.");
const rotated = await sdk("POST", `${at}/webhook/rotate-secret`, 200);
assert.notEqual(rotated.webhookSecret, inbox.webhookSecret);
assert.equal((await sdk("POST", `${at}/webhook/test`, 200)).ok, true);

const friend = await sdk("POST", "/v1/inboxes", 201, {}); // no body at all
const letter = { to: friend.address, subject: "Numbers", body: "Here.", cc: [] };
const unkeyed = { body: letter, headers: { "idempotency-key": "" } };
assert.equal((await sdk("POST", `${at}/send`, 400, unkeyed)).error, "missing_idempotency_key");
const once = { body: letter, headers: { "idempotency-key": randomUUID() } };
const sent = await sdk("POST", `${at}/send`, 200, once);
assert.equal((await sdk("POST", `${at}/send`, 200, once)).messageId, sent.messageId);
const form = () => {
  const fields = new FormData();
  for (const [name, value] of Object.entries({ ...letter, cc: undefined, threadId: sent.threadId, includeQuote: "false" }))
    if (value !== undefined) fields.append(name, value);
  for (const one of ["t\u00e4ble 1.csv", "same.txt", "same.txt"]) fields.append("attachments", new Blob(["a,b\n1,2\n"]), one);
  return fields;
};
const multi = { "Idempotency-Key": randomUUID() };
const second = await sdk("POST", `${at}/send`, 200, { body: form(), headers: multi });
const again = await sdk("POST", `${at}/send`, 200, { body: form(), headers: multi }); // another boundary
assert.equal(again.messageId, second.messageId);
assert.equal(second.threadId, sent.threadId);

await ask({ wait: "mail", inbox: friend.id, count: 2 });
const messages = await sdk("GET", `/v1/inboxes/${friend.id}/messages${page}&direction=inbound`, 200);
assert.deepEqual(messages.data.map((one) => one.subject), ["Re: Numbers", "Numbers"]);
const reply = messages.data[0];
assert.ok(!reply.bodyText.includes("> "), reply.bodyText);
const threads = await sdk("GET", `/v1/inboxes/${friend.id}/threads${page}&is_read=false`, 200);
assert.equal(threads.total, 1);
const thread = threads.data[0].id;
const whole = await sdk("GET", `/v1/threads/${thread}/messages`, 200);
assert.deepEqual(whole.data.map((one) => one.id), [messages.data[1].id, reply.id]);
assert.equal((await sdk("PATCH", `/v1/threads/${thread}`, 200, { body: { is_read: true } })).ok, true);

const names = reply.attachments.map((one) => one.filename);
assert.equal(new Set(names).size, 3, names.join());
const file = `/v1/attachments/${reply.id}/${encodeURIComponent(names[0])}`;
assert.equal(reply.attachments[0].url, base + file);
const redirect = await raw("GET", file, { redirect: "manual", headers: { cookie: "" } });
assert.equal(redirect.status, 302);
const location = new URL(redirect.headers.get("location"), base + file);
assert.equal(await (await fetch(location)).text(), "a,b\n1,2\n"); // the signed URL alone
assert.equal(await (await raw("GET", file)).text(), "a,b\n1,2\n"); // followed, with the key along
assert.match((await sdk("GET", `${file}/text`, 200)).text, /1/);

// a failed test of a webhook is the 502 that the SDK would repeat
await ask({ hook: 500 });
assert.equal((await sdk("POST", `${at}/webhook/test`, 502)).error, "webhook_failed");
await sdk("DELETE", at, 204);
assert.equal((await sdk("GET", at, 404)).error, "not_found");

// --- the command line ----------------------------------------------------------------------------------------
assert.ok((await fetch(`${base}/health`)).ok);
const made = await cli("POST", "/v1/inboxes", { body: { mailboxName: `cli-${Date.now().toString(36)}` } });
const latest = (await cli("GET", "/v1/inboxes?limit=10")).data[0];
assert.equal(latest.id, made.id); // "the latest inbox" is its default
const mine = `/v1/inboxes/${made.id}`;
const first = await cli("POST", `${mine}/send`, {
  body: { to: friend.address, subject: "From a shell", body: "Hello" },
  headers: { "Idempotency-Key": randomUUID() },
});
await ask({ wait: "mail", inbox: friend.id, count: 3 });
const copy = (await cli("GET", `/v1/inboxes/${friend.id}/messages?limit=1&offset=0&direction=inbound`)).data[0];
await cli("POST", `/v1/inboxes/${friend.id}/send`, {
  body: { to: made.address, subject: "Whatever it demands", body: "Back", threadId: copy.threadId },
  headers: { "Idempotency-Key": randomUUID() },
});
await ask({ wait: "mail", inbox: made.id, count: 1 });
const found = await cli("GET", `${mine}/threads?limit=10&offset=0`);
assert.deepEqual(found.data.map((one) => one.id), [first.threadId]);
const told = await cli("GET", `/v1/threads/${first.threadId}/messages`);
assert.deepEqual(told.data.map((one) => [one.direction, one.subject]), [
  ["outbound", "From a shell"],
  ["inbound", "Re: From a shell"],
]);
assert.deepEqual(await cli("DELETE", mine), { ok: true });
const bad = await fetch(`${base}/v1/inboxes?limit=1&offset=0`, { headers: { Authorization: "Bearer om_wrong" } });
assert.equal(bad.status, 401);
console.log(JSON.stringify({ done: true }));
process.exit(0);
