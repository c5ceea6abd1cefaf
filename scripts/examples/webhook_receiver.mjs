// A receiver of Postern's webhooks in MailboxKit's form (POST /api/v1/webhooks); Node alone, no packages.
//
//   WEBHOOK_SECRET=… node scripts/examples/webhook_receiver.mjs 9000
//
// It shows what every receiver has to do: verify the octets as they came, take each event once though it may be posted
// again, and answer soon: work that takes long goes elsewhere.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const MAX_BODY = 16 * 1024 * 1024;
const secret = process.env.WEBHOOK_SECRET;
if (!secret) {
  console.error("set WEBHOOK_SECRET to the secret that POST /api/v1/webhooks answered");
  process.exit(1);
}
const seen = new Set(); // a real one keeps this in its database

function genuine(body, signature) {
  const expected = createHmac("sha256", secret).update(body).digest();
  const given = Buffer.from(signature ?? "", "hex");
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function take(event) {
  console.log(JSON.stringify([event.event, event.data.subject ?? null, event.data.from_email ?? null]));
}

const server = createServer((request, response) => {
  const chunks = [];
  let size = 0;
  request.on("data", (chunk) => {
    size += chunk.length;
    if (size > MAX_BODY) request.destroy();
    else chunks.push(chunk);
  });
  request.on("end", () => {
    const body = Buffer.concat(chunks);
    if (!genuine(body, request.headers["x-mailboxkit-signature"])) {
      response.writeHead(401).end();
      return;
    }
    const id = request.headers["x-mailboxkit-event-id"];
    if (!seen.has(id)) {
      seen.add(id);
      take(JSON.parse(body.toString("utf8")));
    }
    response.writeHead(200).end();
  });
});
server.listen(Number(process.argv[2] ?? 9000), "127.0.0.1", () => {
  console.log(JSON.stringify({ port: server.address().port }));
});
