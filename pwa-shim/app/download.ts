// A file with everything that this device holds, for a device that was removed from its account.

import type { Tourismo } from "@tourismo/client";

/** Builds the file: views in JSON, and every document as base64 of what `load` of Automerge reads. */
export async function everything(tourismo: Tourismo): Promise<Blob> {
  const [account, drives, cars, meets, documents] = await Promise.all([
    tourismo.read("account"),
    tourismo.read("drives"),
    tourismo.read("cars"),
    tourismo.read("meets"),
    tourismo.documents(),
  ]);
  const content = {
    format: "tourismo documents 1",
    account,
    drives,
    cars,
    meets,
    documents: documents.map(({ id, automerge }) => ({ id, automerge: base64Of(automerge) })),
  };
  return new Blob([JSON.stringify(content)], { type: "application/json" });
}

/** Has the browser save a file. */
export function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function base64Of(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
