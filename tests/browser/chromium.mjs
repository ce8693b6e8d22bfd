// Starts Chromium as a phone. A profile folder keeps the stored data of its pages, so that a test can kill the browser and open it
// again.

import { once } from "node:events";
import { mkdtempSync, readlinkSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

// The npm packages are those of pwa-shim.
const { chromium } = createRequire(new URL("../../pwa-shim/package.json", import.meta.url))("playwright-core");

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

const flags = [
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-quic",
  "--disable-sync",
  "--no-first-run",
  // WebGL without a graphics card.
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
  "--ignore-gpu-blocklist",
  // Chromium's sandbox does not run as root, which is the user in a container.
  ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
];

/** Timeout of actions, for a loaded machine. */
const PATIENCE_MS = 60_000;

/** The running browsers of each profile folder. */
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

/** Kills the process of a browser, like a phone that runs out of memory. */
export async function kill(phone, profile) {
  const closed = once(phone, "close");
  // Chromium locks a profile by a symbolic link to "host-process".
  process.kill(Number(readlinkSync(join(profile, "SingletonLock")).split("-").at(-1)), "SIGKILL");
  await closed;
}

/** Creates a profile folder. When the test ends, its browsers are closed and it is removed. */
export function newProfile(test) {
  const profile = mkdtempSync(join(tmpdir(), "tourismo-phone-"));
  running.set(profile, new Set());
  test.after(async () => {
    await Promise.all([...running.get(profile)].map((phone) => phone.close()));
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  });
  return profile;
}

/** Collects uncaught errors and console errors of the pages of a context. */
export function errorsOf(context) {
  const errors = [];
  context.on("weberror", (event) => errors.push(String(event.error())));
  context.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  return errors;
}
