// The worker of an importer: reads and writes files with the importer's WebAssembly.

import init, { Importer as WasmImporter, writeDrive } from "../pkg/tourismo_import_wasm.js";

import { messageOf } from "./errors.ts";
import type { Found } from "./generated/types.ts";
import type { FromImportWorker, ToImportWorker } from "./importer.ts";

/** Exists in workers only. TypeScript's types are those of a page. */
declare const FileReaderSync: new () => { readAsArrayBuffer(blob: Blob): ArrayBuffer };

let reading: { importer: WasmImporter; readBytes: number } | undefined;

addEventListener("message", async ({ data }: MessageEvent<ToImportWorker>) => {
  const { request } = data;
  try {
    post(await answer(data));
  } catch (thrown) {
    post({ type: "failed", request, message: messageOf(thrown) });
  }
});

async function answer(message: ToImportWorker): Promise<FromImportWorker> {
  const { request } = message;
  switch (message.type) {
    case "read":
      await load(message.wasm);
      reading?.importer.free();
      reading = open(message.file);
      return next(request);
    case "next":
      return next(request);
    case "write": {
      await load(message.wasm);
      const { fixes, parts } = message.drive;
      const written = writeDrive(message.format, message.title, fixes, Uint32Array.from(parts));
      return { type: "written", request, bytes: new Uint8Array(written) };
    }
    default:
      return message satisfies never;
  }
}

async function load(wasm: string | undefined): Promise<void> {
  await init({ module_or_path: wasm ?? new URL("../pkg/tourismo_import_wasm_bg.wasm", import.meta.url) });
}

function open(file: File): { importer: WasmImporter; readBytes: number } {
  const reader = new FileReaderSync();
  const opened = {
    readBytes: 0,
    importer: new WasmImporter(file.name, file.size, (place: number, count: number) => {
      // The list of files is at the end of an archive, and is read first.
      if (place + count < file.size) opened.readBytes = place;
      return new Uint8Array(reader.readAsArrayBuffer(file.slice(place, place + count)));
    }),
  };
  return opened;
}

function next(request: number): FromImportWorker {
  const found = (reading?.importer.readNext() ?? null) as Found | null;
  if (!found) {
    reading?.importer.free();
    reading = undefined;
  }
  return { type: "found", request, found, readBytes: reading?.readBytes ?? 0 };
}

function post(message: FromImportWorker): void {
  postMessage(message);
}
