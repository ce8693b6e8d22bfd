// Starts the built relay on a database file that is removed when the test ends.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The path of a command of the workspace: in the folder TOURISMO_BINARIES, or built. */
export async function built(packageName, command) {
  if (process.env.TOURISMO_BINARIES) return join(process.env.TOURISMO_BINARIES, command);
  const options = ["build", "--locked", "--message-format=json", "-p", packageName, "--bin", command];
  const { stdout } = await promisify(execFile)("cargo", options, { cwd: root, maxBuffer: 1 << 28 });
  const artifacts = stdout
    .split("\n")
    .filter((line) => line.includes('"executable":"'))
    .map((line) => JSON.parse(line));
  return artifacts.find(({ target }) => target.name === command).executable;
}

/** Starts a relay with further options. Resolves to its port. */
export async function startRelay(test, ...further) {
  const port = await freePort();
  await startRelayAt(port, test, ...further);
  return port;
}

/** Starts a relay on a port of this machine. Resolves to a function that stops it. */
export async function startRelayAt(port, test, ...further) {
  const command = await built("tourismo-server", "tourismo-server");
  const folder = mkdtempSync(join(tmpdir(), "tourismo-relay-"));
  const options = ["serve", "--listen", `127.0.0.1:${port}`, "--data", join(folder, "relay.sqlite"), ...further];
  // A test machine with an almost full disk must not change what the relay accepts.
  const env = { ...process.env, RUST_LOG: "warn", TOURISMO_RESERVED_DISK_PERCENT: "0" };
  const relay = spawn(command, options, { stdio: ["ignore", "ignore", "inherit"], env });
  const stop = async () => {
    relay.kill("SIGTERM");
    if (relay.exitCode === null) await once(relay, "exit");
  };
  test.after(async () => {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await until("the relay answers", async () => (await fetch(`http://127.0.0.1:${port}/v1/health`)).ok);
  return stop;
}

/** Polls until `isSo` resolves to a truthy value, and returns it. An error counts as "not yet". */
export async function until(what, isSo, patienceMs = 60_000) {
  const deadline = Date.now() + patienceMs;
  let last;
  while (Date.now() < deadline) {
    try {
      const answer = await isSo();
      if (answer) return answer;
    } catch (thrown) {
      last = thrown;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`waited ${patienceMs / 1000} s in vain: ${what}`, { cause: last });
}

/** A free port. */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
