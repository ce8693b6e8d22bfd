// The importer: reads drives from files of other programs, and writes such files. Its worker and its WebAssembly are loaded with the
// first call. It does not use the engine: `Tourismo.checkImport` and `Tourismo.importDrive` take its results.

import { TourismoError } from "./errors.ts";
import type { AccountId, ArchivedDocument, Destination, DocId, ExportFormat, Found } from "./generated/types.ts";

/** How to open an importer. Everything has a default. */
export interface ImporterOptions {
  /** The URL of the package's import-worker.js, for bundlers that do not find it. */
  workerUrl?: string | URL;
  /** The URL of the package's tourismo_import_wasm_bg.wasm, for bundlers that do not find it. */
  wasmUrl?: string | URL;
}

export interface ReadOptions {
  /** Stops the reading: `read` throws the reason of the signal. */
  signal?: AbortSignal;
  /** Calls back as files are read. */
  onProgress?: (progress: ReadProgress) => void;
}

/** The progress of `Importer.read`. */
export interface ReadProgress {
  readBytes: number;
  totalBytes: number;
}

/** The accepted positions of a drive: the result of `Tourismo.readFixes`. */
export interface DriveFixes {
  /** Eight doubles for each: time in milliseconds, latitude, longitude, accuracy, altitude, its accuracy, heading, speed; NaN if unknown. */
  fixes: Uint8Array;
  /** The number of positions in each part. There is a gap between two parts. */
  parts: number[];
}

/** Messages of a page to the import worker. */
export type ToImportWorker =
  | { type: "read"; request: number; wasm: string | undefined; file: File }
  | { type: "next"; request: number }
  | { type: "write"; request: number; wasm: string | undefined; format: ExportFormat; title: string; drive: DriveFixes }
  | { type: "destination"; request: number; wasm: string | undefined; destination: Destination }
  | { type: "archive"; request: number; wasm: string | undefined; step: ArchiveStep };

/** A step of writing an archive. */
export type ArchiveStep =
  | { type: "begin" }
  | { type: "document"; document: ArchivedDocument }
  | { type: "gpx"; id: DocId; title: string; startedAt: number; drive: DriveFixes }
  | { type: "json"; name: string; json: string }
  | { type: "finish"; account: AccountId; exportedAt: number; missing: DocId[] }
  | { type: "remove" };

/** Messages of the import worker to its page. */
export type FromImportWorker =
  | { type: "found"; request: number; found: Found | null; readBytes: number }
  | { type: "written"; request: number; bytes: Uint8Array<ArrayBuffer> }
  | { type: "archived"; request: number; archive: Blob | null }
  | { type: "failed"; request: number; message: string };

/** The media type and the file extension of each format. */
const FORMATS: Record<ExportFormat, [type: string, ending: string]> = {
  gpx: ["application/gpx+xml", "gpx"],
  geojson: ["application/geo+json", "geojson"],
  csv: ["text/csv", "csv"],
  fit: ["application/vnd.ant.fit", "fit"],
};

/**
 * Reads and writes files of drives, without network. One importer reads one list of files at a time.
 *
 * @example
 * const importer = new Importer();
 * for await (const found of importer.read(input.files)) {
 *   if (found.type === "drive") await tourismo.importDrive(found);
 * }
 */
export class Importer {
  readonly #options: ImporterOptions;
  #worker: Worker | undefined;
  #requests = 0;
  readonly #waiting = new Map<number, { resolve(answer: FromImportWorker): void; reject(why: TourismoError): void }>();

  constructor(options: ImporterOptions = {}) {
    this.#options = options;
  }

  /**
   * Reads files one by one: drives, the reasons for which files cannot be read, and the number of files of other formats in an
   * archive. The next drive is read when the caller asks for it, so that memory does not grow with the number of files.
   */
  async *read(files: Iterable<File>, { signal, onProgress }: ReadOptions = {}): AsyncGenerator<Found, void, undefined> {
    const all = [...files];
    const totalBytes = all.reduce((sum, file) => sum + file.size, 0);
    let before = 0;
    for (const file of all) {
      try {
        yield* this.#readFile(file, signal, (readBytes) => onProgress?.({ readBytes: before + readBytes, totalBytes }));
      } catch (thrown) {
        if (!(thrown instanceof TourismoError && thrown.code === "core_failed")) throw thrown;
        // The reader failed. Another one reads the remaining files.
        this.close();
        yield { type: "refused", file: file.name, error: { type: "damaged", detail: thrown.message } };
      }
      before += file.size;
      onProgress?.({ readBytes: before, totalBytes });
    }
  }

  async *#readFile(
    file: File,
    signal: AbortSignal | undefined,
    onRead: (bytes: number) => void,
  ): AsyncGenerator<Found, void, undefined> {
    let answer = await this.#ask((request) => ({ type: "read", request, wasm: this.#wasm(), file }), signal);
    while (answer.type === "found" && answer.found) {
      onRead(answer.readBytes);
      yield answer.found;
      answer = await this.#ask((request) => ({ type: "next", request }), signal);
    }
  }

  /** Writes a drive as a file with this title. `drive` is the result of `Tourismo.readFixes`. */
  async write(format: ExportFormat, title: string, drive: DriveFixes): Promise<File> {
    return this.#written(format, title, (request) => ({ type: "write", request, wasm: this.#wasm(), format, title, drive }));
  }

  /**
   * Writes a place or a road as GPX, which navigation apps open: a waypoint, and the line of the road as a track without times.
   * Rejects with the code `invalid` if a position is not on the globe.
   */
  async writeDestination(destination: Destination): Promise<File> {
    const isOnGlobe = ([lon, lat]: [number, number]): boolean => Math.abs(lon) <= 180 && Math.abs(lat) <= 90;
    if (![destination.position, ...destination.line].every(isOnGlobe)) {
      throw new TourismoError("invalid", "position and line have longitudes of -180 to 180 and latitudes of -90 to 90");
    }
    const message = (request: number) => ({ type: "destination" as const, request, wasm: this.#wasm(), destination });
    return this.#written("gpx", destination.name, message);
  }

  async #written(format: ExportFormat, title: string, message: (request: number) => ToImportWorker): Promise<File> {
    const answer = await this.#ask(message);
    if (answer.type !== "written") throw new TourismoError("core_failed", `unexpected answer ${answer.type}`);
    const [type, ending] = FORMATS[format];
    return new File([answer.bytes], `${fileName(title)}.${ending}`, { type });
  }

  /** Begins an archive of an account, for `exportAccount`. One importer writes one archive at a time. */
  async beginArchive(): Promise<ArchiveFile> {
    const step = async (step: ArchiveStep): Promise<Blob | null> => {
      const answer = await this.#ask((request) => ({ type: "archive", request, wasm: this.#wasm(), step }));
      if (answer.type !== "archived") throw new TourismoError("core_failed", `unexpected answer ${answer.type}`);
      return answer.archive;
    };
    await step({ type: "begin" });
    return new ArchiveFile(step);
  }

  /** Stops the worker. The next call starts another one. */
  close(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(new TourismoError("closed", "the importer was closed"));
    this.#waiting.clear();
  }

  async #ask(message: (request: number) => ToImportWorker, signal?: AbortSignal): Promise<FromImportWorker> {
    signal?.throwIfAborted();
    const worker = this.#open();
    const request = ++this.#requests;
    const answer = new Promise<FromImportWorker>((resolve, reject) => this.#waiting.set(request, { resolve, reject }));
    // A large file is read synchronously, which only the end of the worker interrupts.
    const abort = (): void => this.close();
    signal?.addEventListener("abort", abort);
    worker.postMessage(message(request));
    try {
      const answered = await answer;
      if (answered.type === "failed") throw new TourismoError("core_failed", answered.message);
      return answered;
    } catch (thrown) {
      signal?.throwIfAborted();
      throw thrown;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  #open(): Worker {
    if (this.#worker) return this.#worker;
    if (typeof Worker === "undefined") {
      throw new TourismoError("unsupported", "Importer needs a page in a browser: its reader runs in a worker");
    }
    const { workerUrl } = this.#options;
    // Bundlers recognise exactly this expression.
    const worker = workerUrl
      ? new Worker(workerUrl, { type: "module", name: "tourismo import" })
      : new Worker(new URL("./import-worker.js", import.meta.url), { type: "module", name: "tourismo import" });
    worker.onmessage = ({ data }: MessageEvent<FromImportWorker>) => {
      this.#waiting.get(data.request)?.resolve(data);
      this.#waiting.delete(data.request);
    };
    worker.onerror = (event) => {
      const why = new TourismoError("core_failed", event.message || "the import worker could not be loaded");
      for (const { reject } of this.#waiting.values()) reject(why);
      this.#waiting.clear();
    };
    this.#worker = worker;
    return worker;
  }

  #wasm(): string | undefined {
    const { wasmUrl } = this.#options;
    return wasmUrl === undefined ? undefined : new URL(wasmUrl, location.href).href;
  }
}

/** An archive of an account that is being written. */
export class ArchiveFile {
  readonly #step: (step: ArchiveStep) => Promise<Blob | null>;

  constructor(step: (step: ArchiveStep) => Promise<Blob | null>) {
    this.#step = step;
  }

  /** Adds a document. */
  async addDocument(document: ArchivedDocument): Promise<void> {
    await this.#step({ type: "document", document });
  }

  /** Adds the positions of a drive as GPX. */
  async addGpx({ id, title, startedAt }: { id: DocId; title: string; startedAt: number }, drive: DriveFixes): Promise<void> {
    await this.#step({ type: "gpx", id, title, startedAt, drive });
  }

  /** Adds a file of JSON. */
  async addJson(name: string, json: string): Promise<void> {
    await this.#step({ type: "json", name, json });
  }

  /** Completes the archive. `missing` are the documents that are not in it. */
  async finish(account: AccountId, missing: DocId[]): Promise<File> {
    const now = Date.now();
    const archive = await this.#step({ type: "finish", account, exportedAt: now, missing });
    if (!archive) throw new TourismoError("core_failed", "the archive was not written");
    return new File([archive], `Tourismo ${new Date(now).toISOString().slice(0, 10)}.zip`, { type: "application/zip" });
  }

  /** Removes the archive from the disk of the browser, also an incomplete one. */
  async remove(): Promise<void> {
    await this.#step({ type: "remove" });
  }
}

/** A drive of a file with the labels of its user: the argument of `Tourismo.importDrive`. */
export interface DriveToImport {
  source: Uint8Array;
  title: string;
  notes?: string;
  car?: DocId | null;
  fixes: Uint8Array;
}

/** Returns a title as a file name for every system. */
function fileName(title: string): string {
  // Letters, digits, dashes, dots within, and spaces.
  const name = title
    .replace(/[^\p{L}\p{N}\-. ]+/gu, " ")
    .replace(/\s+/g, " ")
    .replace(/^[. ]+|[. ]+$/g, "");
  return name.slice(0, 100) || "drive";
}
