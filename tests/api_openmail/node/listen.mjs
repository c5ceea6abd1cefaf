// An agent's loop: connect, subscribe, take events, come again when the connection ends; tells what it sees, a JSON
// object a line. OpenMail's documents say which close codes end the loop.
import WebSocket from "ws";

const { url, key } = JSON.parse(process.env.POSTERN_FACTS);
const tell = (fact) => process.stdout.write(JSON.stringify(fact) + "\n");
let lastEventId;

function listen() {
  const socket = new WebSocket(url, { headers: { Authorization: `Bearer ${key}` } });
  socket.on("open", () => {
    socket.send(JSON.stringify({ type: "subscribe", last_event_id: lastEventId }));
    socket.send(JSON.stringify({ type: "ping" }));
  });
  socket.on("message", (data) => {
    const frame = JSON.parse(data);
    if (frame.event === "message.received") {
      lastEventId = frame.event_id;
      tell({ heard: frame.message.subject, inbox: frame.inbox_id, from: frame.message.from });
    } else {
      tell({ told: frame.type });
    }
  });
  socket.on("error", () => {}); // the gateway is away; "close" follows
  socket.on("close", (code) => {
    if (code !== 1006) tell({ closed: code });
    if (code === 4001 || code === 4008) process.exit(0);
    setTimeout(listen, 100);
  });
}

listen();
