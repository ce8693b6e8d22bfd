// Starts Chromium for a story, as a phone of its own: a profile folder keeps what the page stored, so that a story can kill
// the browser and open it again. Knows nothing of what the pages do.

import { once } from "node:events";
import { mkdtempSync, readlinkSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

// The npm packages are those of pwa-shim; the stories have none of their own.
const { chromium } = createRequire(new URL("../../pwa-shim/package.json", import.meta.url))("playwright-core");

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

const flags = [
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-quic",
  "--disable-sync",
  "--no-first-run",
  // WebGL without a graphics card: the map is drawn on the CPU.
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
  "--ignore-gpu-blocklist",
  // Chromium's sandbox refuses to run as root, which is what a container's user is.
  ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
];

/** How long a page may take for what it does at once on a machine with nothing else to do. */
const PATIENCE_MS = 60_000;

/** The browsers that run on a profile folder. */
const running = new Map();

/**
 * Opens a phone-sized browser on a profile folder.
 *
 * @param {string} profile
 * @param {import("playwright-core").BrowserContextOptions & { camera?: string }} [options] `camera`: the file that its camera
 *   shows, one JPEG after the other, read when the camera is opened
 * @returns {Promise<import("playwright-core").BrowserContext>}
 */
export async function openPhone(profile, { camera, ...options } = {}) {
  const film = camera ? ["--use-fake-device-for-media-stream", `--use-file-for-fake-video-capture=${camera}`] : [];
  const screen = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, ...options };
  const phone = await chromium.launchPersistentContext(profile, {
    executablePath,
    args: [...flags, ...film],
    headless: true,
    ...screen,
  });
  phone.setDefaultTimeout(PATIENCE_MS);
  running.get(profile)?.add(phone);
  phone.once("close", () => running.get(profile)?.delete(phone));
  return phone;
}

/** Kills a browser's process at once, as a phone does that runs out of memory. */
export async function kill(phone, profile) {
  const closed = once(phone, "close");
  // Chromium's lock on its profile is a link to "host-process".
  process.kill(Number(readlinkSync(join(profile, "SingletonLock")).split("-").at(-1)), "SIGKILL");
  await closed;
}

/** Makes an empty profile folder. When the test ends, its browsers are closed and it is removed. */
export function newProfile(test) {
  const profile = mkdtempSync(join(tmpdir(), "tourismo-phone-"));
  running.set(profile, new Set());
  test.after(async () => {
    await Promise.all([...running.get(profile)].map((phone) => phone.close()));
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  });
  return profile;
}

/** Collects what goes wrong in a context's pages: uncaught errors and error messages on the console. */
export function errorsOf(context) {
  const errors = [];
  context.on("weberror", (event) => errors.push(String(event.error())));
  context.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  return errors;
}
