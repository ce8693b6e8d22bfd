// The Ed25519 key of this device. It is generated here and stored as a non-extractable key.

import { TourismoError } from "./errors.ts";
import type { Storage } from "./storage.ts";

export interface DeviceKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Signs bytes. Resolves to the signature, 64 bytes. */
  sign(bytes: Uint8Array): Promise<Uint8Array>;
}

/** The stored form: the private key is a handle of the browser.*/
interface StoredKey {
  privateKey: CryptoKey;
  publicKey: Uint8Array;
}

/** Opens the key, and generates it the first time. Only the owner may call it: two calls at once would make two keys. */
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
    throw new TourismoError("unsupported", "this browser has no Ed25519 in WebCrypto: update it");
  }
}
