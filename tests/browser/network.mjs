// The network between a phone and its relay: a TCP proxy that a test can cut. Then connections end and new ones are refused.

import { once } from "node:events";
import { connect, createServer } from "node:net";

import { freePort, startRelayAt } from "./relay.mjs";

/**
 * Starts a relay, with further options if a test needs any, behind such a proxy. Phones may dial the `address` of the proxy, or the
 * relay's own `port`.
 */
export async function startRelayOnNetwork(test, ...further) {
  const port = await freePort();
  const network = await startNetwork(test, port);
  const urls = ["--public-url", network.address, "--public-url", `http://127.0.0.1:${port}`];
  await startRelayAt(port, test, ...urls, ...further);
  return { ...network, port };
}

/** Starts a proxy to a port of this machine. It keeps its own port when it is cut and restored. */
async function startNetwork(test, relayPort) {
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
  return { address: `http://localhost:${port}`, cut, restore: () => listen(port) };
}
