// The official npm package, unchanged, through the core flow. Facts come in POSTERN_FACTS (JSON):
// { base, key }; what a script cannot do itself (mail from outside) it asks for on stdout, one JSON a line.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { createHmac } from "node:crypto";
import { AgentMailClient, AgentMailError, serialization } from "agentmail";

const facts = JSON.parse(process.env.POSTERN_FACTS);
const ws = facts.base.replace(/^http/, "ws");
const client = new AgentMailClient({
  apiKey: facts.key,
  environment: { http: `${facts.base}/api`, websockets: `${ws}/api` },
});

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
async function ask(what) {
  process.stdout.write(JSON.stringify(what) + "\n");
  const { value } = await answers.next();
  return JSON.parse(value);
}

const parsers = {
  "message.received": serialization.events.MessageReceivedEvent,
  "message.sent": serialization.events.MessageSentEvent,
  "message.delivered": serialization.events.MessageDeliveredEvent,
  "message.bounced": serialization.events.MessageBouncedEvent,
  "message.complained": serialization.events.MessageComplainedEvent,
  "message.rejected": serialization.events.MessageRejectedEvent,
};

async function until(probe, why, ms = 20000) {
  const end = Date.now() + ms;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited in vain: ${why}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function verify(secret, { headers, body }) {
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const signed = `${headers["svix-id"]}.${headers["svix-timestamp"]}.${body}`;
  const wanted = "v1," + createHmac("sha256", key).update(signed).digest("base64");
  assert.ok(headers["svix-signature"].split(" ").includes(wanted), "the signature");
}

const posts = [];
const endpoint = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    posts.push({ headers: request.headers, body: Buffer.concat(parts).toString("utf8") });
    response.end();
  });
});
await new Promise((resolve) => endpoint.listen(0, "127.0.0.1", resolve));
const hookUrl = `http://127.0.0.1:${endpoint.address().port}/hook`;
const ofType = (type) => posts.map((one) => JSON.parse(one.body)).filter((one) => one.event_type === type);

// inboxes
const inbox = await client.inboxes.create({ displayName: "Node" });
assert.ok(inbox.email.includes("@"));
assert.equal(inbox.inboxId, inbox.email);
assert.ok(inbox.createdAt instanceof Date);
assert.equal((await client.inboxes.get(inbox.email)).inboxId, inbox.inboxId);
assert.equal((await client.inboxes.update(inbox.inboxId, { displayName: "Neo" })).displayName, "Neo");
assert.ok((await client.inboxes.list({ limit: 100 })).inboxes.some((one) => one.inboxId === inbox.inboxId));
const byUrl = new AgentMailClient({ apiKey: facts.key, baseUrl: `${facts.base}/api` });
assert.equal((await byUrl.inboxes.get(inbox.inboxId)).email, inbox.email);

// a webhook for everything of this inbox, and a websocket
const hook = await client.webhooks.create({
  url: hookUrl,
  eventTypes: Object.keys(parsers),
  inboxIds: [inbox.inboxId],
});
assert.ok(hook.secret.startsWith("whsec_"));
assert.equal((await client.webhooks.get(hook.webhookId)).url, hookUrl);
const socket = await byUrl.websockets.connect();
const frames = [];
socket.on("message", (frame) => frames.push(frame));
await socket.waitForOpen();
socket.sendSubscribe({ type: "subscribe", inboxIds: [inbox.email] });
await until(() => frames.some((one) => one.type === "subscribed"), "subscribed");

// mail from outside
await ask({ do: "deliver", to: inbox.email, subject: "From outside, Grüße", file: "a.bin" });
const got = await until(
  async () => (await client.inboxes.messages.list(inbox.inboxId, { labels: ["unread", "received"] })).messages[0],
  "the mail in the list",
);
assert.equal(got.subject, "From outside, Grüße");
assert.ok(got.timestamp instanceof Date);
const whole = await client.inboxes.messages.get(inbox.email, got.messageId);
assert.ok(whole.text.includes("A line from outside."));
const file = whole.attachments[0];
const link = await client.inboxes.messages.getAttachment(inbox.inboxId, got.messageId, file.attachmentId);
assert.equal(Buffer.from(await (await fetch(link.downloadUrl)).arrayBuffer()).toString("hex"), "0001ff");
const raw = await client.inboxes.messages.getRaw(inbox.inboxId, got.messageId);
assert.equal((await (await fetch(raw.downloadUrl)).arrayBuffer()).byteLength, raw.size);
await until(() => frames.some((one) => one.eventType === "message.received"), "the websocket event");
const live = frames.find((one) => one.eventType === "message.received");
assert.equal(live.message.messageId, got.messageId);
assert.equal(live.message.inboxId, inbox.email);

// labels, by an id that needs encoding
const rfcId = await ask({ do: "last-id" });
const labelled = await client.inboxes.messages.update(inbox.email, rfcId, { addLabels: ["a/b"], removeLabels: "unread" });
assert.ok(labelled.labels.includes("a/b") && !labelled.labels.includes("unread"));
assert.equal((await client.inboxes.messages.list(inbox.inboxId, { labels: ["a/b"] })).count, 1);

// send, once, with an upload; reply; forward; threads
const request = {
  to: ["friend@abroad.test"],
  subject: "Upload",
  text: "t",
  html: "<b>t</b>",
  attachments: [{ filename: "up.bin", content: Buffer.from([0, 1, 255]).toString("base64"), contentType: "application/octet-stream" }],
};
const options = { idempotencyKey: `node-${Date.now()}` };
const sent = await client.inboxes.messages.send(inbox.inboxId, request, options);
assert.deepEqual(await client.inboxes.messages.send(inbox.inboxId, request, options), sent);
const upload = await ask({ do: "foreign", to: "friend@abroad.test" });
assert.deepEqual(upload.files, ["0001ff"]);
assert.equal(upload.count, 1);
const mine = await client.inboxes.messages.get(inbox.inboxId, sent.messageId);
assert.equal(mine.attachments[0].size, 3);
const reply = await client.inboxes.messages.reply(inbox.inboxId, got.messageId, { text: "answer" });
assert.equal(reply.threadId, got.threadId);
const thread = await client.threads.get(got.threadId);
assert.equal(thread.messages.length, 2);
const forward = await client.inboxes.messages.forward(inbox.inboxId, got.messageId, { to: "dora@abroad.test" });
assert.notEqual(forward.threadId, got.threadId);
assert.deepEqual((await ask({ do: "foreign", to: "dora@abroad.test" })).files, ["0001ff"]);

// drafts
const draft = await client.inboxes.drafts.create(inbox.inboxId, { to: ["d@abroad.test"], subject: "D", text: "v1" });
await client.inboxes.drafts.update(inbox.inboxId, draft.draftId, { text: "v2" });
assert.equal((await client.inboxes.drafts.get(inbox.inboxId, draft.draftId)).text, "v2");
await client.inboxes.drafts.send(inbox.inboxId, draft.draftId, {});
assert.ok((await ask({ do: "foreign", to: "d@abroad.test" })).text.includes("v2"));

// reports: bounced, delivered, complained
for (const kind of ["failed", "delivered", "abuse"]) {
  const to = `${kind}@abroad.test`;
  await client.inboxes.messages.send(inbox.inboxId, { to, subject: kind, text: "t" });
  await ask({ do: "report", to, kind });
}
for (const type of ["message.received", "message.sent", "message.bounced", "message.delivered", "message.complained"]) {
  await until(() => ofType(type).length > 0, `a webhook ${type}`);
}
for (const post of posts) {
  verify(hook.secret, post);
  const payload = JSON.parse(post.body);
  const parsed = await parsers[payload.event_type].parse(payload);
  assert.ok(parsed.ok, `${payload.event_type}: ${JSON.stringify(parsed.errors)}`);
  // an endpoint in JavaScript signs what it re-serialises
  assert.equal(post.body, JSON.stringify(payload));
}

// the rest
const narrowed = await client.webhooks.update(hook.webhookId, { eventTypes: ["message.sent"] });
assert.deepEqual(narrowed.eventTypes, ["message.sent"]);
await client.webhooks.delete(hook.webhookId);
const key = await client.apiKeys.create({ name: "node" });
assert.ok(key.apiKey.startsWith("inai_"));
await client.apiKeys.delete(key.apiKeyId);
const domain = await client.domains.create({ domain: `n${Date.now()}.example`, feedbackEnabled: true });
assert.ok(domain.records.some((one) => one.type === "MX"));
await client.domains.delete(domain.domainId);
await client.lists.create("send", "block", { entry: "foe@abroad.test" });
await assert.rejects(
  client.inboxes.messages.send(inbox.inboxId, { to: "foe@abroad.test", text: "t" }),
  (error) => error instanceof AgentMailError && error.statusCode === 403,
);
await client.lists.delete("send", "block", "foe@abroad.test");
await assert.rejects(
  client.inboxes.get("nobody@nowhere.example"),
  (error) => error instanceof AgentMailError && error.statusCode === 404,
);
socket.close();
await client.inboxes.delete(inbox.inboxId);
endpoint.closeAllConnections();
endpoint.close();
process.stdout.write(JSON.stringify({ do: "done", events: posts.length }) + "\n");
process.exit(0);
