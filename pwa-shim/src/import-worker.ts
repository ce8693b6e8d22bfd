// The worker of an importer: reads and writes files with the importer's WebAssembly.

import init, { ArchiveWriter, Importer as WasmImporter, writeDestination, writeDrive } from "../pkg/tourismo_import_wasm.js";

import { type ArchiveOutput, openArchiveOutput } from "./archive-output.ts";
import { messageOf } from "./errors.ts";
import type { Found } from "./generated/types.ts";
import type { ArchiveStep, FromImportWorker, ToImportWorker } from "./importer.ts";

/** Exists in workers only. TypeScript's types are those of a page. */
declare const FileReaderSync: new () => { readAsArrayBuffer(blob: Blob): ArrayBuffer };

let reading: { importer: WasmImporter; readBytes: number } | undefined;
let writing: { writer: ArchiveWriter; output: ArchiveOutput } | undefined;
/** The output of the last archive, which can be removed after it is complete. */
let written: ArchiveOutput | undefined;

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
    case "destination":
      await load(message.wasm);
      return { type: "written", request, bytes: new Uint8Array(writeDestination(message.destination)) };
    case "archive":
      await load(message.wasm);
      return { type: "archived", request, archive: await writeArchive(message.step) };
    default:
      return message satisfies never;
  }
}

async function writeArchive(step: ArchiveStep): Promise<Blob | null> {
  if (step.type === "begin" || step.type === "remove") {
    writing?.writer.free();
    await (writing?.output ?? written)?.remove();
    written = undefined;
    writing = step.type === "begin" ? { writer: new ArchiveWriter(), output: await openArchiveOutput() } : undefined;
    return null;
  }
  if (!writing) throw new Error("no archive was begun");
  const { writer, output } = writing;
  switch (step.type) {
    case "document": {
      const { kind, id, bytes, track } = step.document;
      writer.addDocument(kind, id, bytes, track ?? undefined);
      break;
    }
    case "gpx":
      writer.addGpx(step.id, step.title, step.startedAt, step.drive.fixes, Uint32Array.from(step.drive.parts));
      break;
    case "json":
      writer.addJson(step.name, step.json);
      break;
    case "finish":
      [writing, written] = [undefined, output];
      output.write(new Uint8Array(writer.finish(step.account, step.exportedAt, step.missing)));
      return output.finish();
    default:
      return step satisfies never;
  }
  output.write(new Uint8Array(writer.take()));
  return null;
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
