// The way between a phone and its relay, which a story can cut: connections end at once and new ones are refused.

import { once } from "node:events";
import { connect, createServer } from "node:net";

import { freePort, startRelayAt } from "./relay.mjs";

/**
 * Starts a relay, with further options if a story needs any, and lays a cable to it. The relay is told that phones dial the
 * cable's address, or the relay's own `port`.
 */
export async function layCableToRelay(test, ...further) {
  const port = await freePort();
  const cable = await layCable(test, port);
  const urls = ["--public-url", cable.address, "--public-url", `http://127.0.0.1:${port}`];
  await startRelayAt(port, test, ...urls, ...further);
  return { ...cable, port };
}

/** Lays a cable to a port of this machine. Its own port stays the same however often it is cut. */
async function layCable(test, relayPort) {
  const sockets = new Set();
  const server = createServer((phone) => {
    const relay = connect(relayPort, "127.0.0.1");
    for (const [from, to] of [
      [phone, relay],
      [relay, phone],
    ]) {
      sockets.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  const listen = async (port) => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  };
  const cut = async () => {
    if (!server.listening) return;
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, "close");
  };
  await listen(0);
  const { port } = server.address();
  test.after(cut);
  return { address: `http://localhost:${port}`, cut, mend: () => listen(port) };
}
