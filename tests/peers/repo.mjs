// automerge-repo as a sync server and as its client, each with its files in a folder.
//
// `serve ADDRESS FOLDER` serves as automerge-repo's own sync server does. `make URL FOLDER COUNT` makes documents, syncs them,
// and prints `synced` when the server has confirmed all of them. `open URL FOLDER` loads what was made and then connects.
// Clients end when their standard input is closed. `count FOLDER IDS` prints how many of those documents a folder has.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { Repo } from "@automerge/automerge-repo";
import { WebSocketClientAdapter, WebSocketServerAdapter } from "@automerge/automerge-repo-network-websocket";
import { NodeFSStorageAdapter } from "@automerge/automerge-repo-storage-nodefs";
import { WebSocketServer } from "ws";

const [role, ...rest] = process.argv.slice(2);
const [where, folder, count] = role === "count" ? [rest[1], rest[0]] : rest;
mkdirSync(folder, { recursive: true });
const storage = new NodeFSStorageAdapter(`${folder}/repo`);

switch (role) {
  case "serve": {
    const network = [new WebSocketServerAdapter(new WebSocketServer({ host: "127.0.0.1", port: Number(where.split(":")[1]) }))];
    new Repo({ network, storage, peerId: "server", sharePolicy: async () => false });
    break;
  }
  case "make": {
    const repo = new Repo({ network: [new WebSocketClientAdapter(where)], storage });
    const fields = (number) => ({ make: "Mazda", model: "MX-5", year: 1991, nickname: `car ${number}` });
    const handles = Array.from({ length: Number(count) }, (_, number) => repo.create(fields(number)));
    writeFileSync(`${folder}/ids`, handles.map((handle) => handle.url).join("\n"));
    void Promise.all(handles.map(known)).then(() => console.log("synced"));
    await toldToEnd();
    await repo.flush();
    process.exit(0);
  }
  case "open": {
    const repo = new Repo({ network: [], storage });
    await Promise.all(readFileSync(`${folder}/ids`, "utf8").split("\n").map((url) => repo.find(url)));
    repo.networkSubsystem.addNetworkAdapter(new WebSocketClientAdapter(where));
    await toldToEnd();
    process.exit(0);
  }
  case "count": {
    const repo = new Repo({ network: [], storage });
    const urls = readFileSync(where, "utf8").split("\n");
    const found = await Promise.allSettled(urls.map((url) => repo.find(url)));
    console.log(found.filter(({ status }) => status === "fulfilled").length);
    process.exit(0);
  }
  default:
    throw new Error("serve ADDRESS FOLDER | make URL FOLDER COUNT | open URL FOLDER | count FOLDER IDS");
}

/** Resolves when the server has reported the same heads as the local document's. */
function known(handle) {
  return new Promise((resolve) => {
    handle.on("remote-heads", ({ heads }) => {
      if (heads.toString() === handle.heads().toString()) resolve();
    });
  });
}

async function toldToEnd() {
  for await (const _ of process.stdin);
}
