// The key by which this device is known: Ed25519, made here, kept in storage in a form that no script can read out.

import { TourismoError } from "./errors.ts";
import type { Storage } from "./storage.ts";

export interface DeviceKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The signature over `bytes`, 64 bytes. */
  sign(bytes: Uint8Array): Promise<Uint8Array>;
}

/** What is kept: the private key as a handle of the browser's. */
interface StoredKey {
  privateKey: CryptoKey;
  publicKey: Uint8Array;
}

/** The device's key, made if there is none. Only the owner may call it: two at once would make two keys. */
export async function openDeviceKey(storage: Storage): Promise<DeviceKey> {
  const stored = ((await storage.get("deviceKey")) as StoredKey | undefined) ?? (await makeKey(storage));
  return {
    publicKey: stored.publicKey,
    sign: async (bytes) => new Uint8Array(await crypto.subtle.sign("Ed25519", stored.privateKey, bytes.slice())),
  };
}

async function makeKey(storage: Storage): Promise<StoredKey> {
  const pair = await generate();
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const key: StoredKey = { privateKey: pair.privateKey, publicKey };
  await storage.put("deviceKey", key);
  return key;
}

async function generate(): Promise<CryptoKeyPair> {
  try {
    return (await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
  } catch {
    throw new TourismoError("unsupported", "this browser cannot sign with Ed25519; a newer version can");
  }
}
