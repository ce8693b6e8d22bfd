// The import of drives from files: preview, progress and result. It continues while other screens are shown.

import { signal } from "@preact/signals";
import {
  type DocumentRef,
  type FileError,
  type Found,
  type FoundDrive,
  Importer,
  type ImportMatch,
  type ReadProgress,
  type RefusedFile,
  type Tourismo,
  TourismoError,
} from "@tourismo/client";

import { engine, opened } from "./engine.ts";
import { describeError } from "./messages.ts";
import { keepPending, readPending, removePending } from "./pending-import.ts";
import { takeSharedFiles } from "./shared-files.ts";

/** A drive of a file, without its positions. `index` identifies it: two drives may have the same source. */
export type Candidate = Omit<FoundDrive, "fixes"> & { index: number; match: ImportMatch };

/** A document of an archive of an account, without its content. */
export type ArchivedCandidate = DocumentRef & { isHere: boolean };

/** The drives and documents that the user chose. */
export interface Choice {
  /** The sources of the drives. */
  sources: ReadonlySet<string>;
  /** Whether documents of archives are imported, and how many there are. */
  documents: number;
  car: string | null;
}

/** The content of files. */
export interface Preview {
  files: File[];
  drives: Candidate[];
  /** The documents of archives of an account. */
  documents: ArchivedCandidate[];
  refused: RefusedFile[];
  ignored: number;
}

/** A drive that could not be imported. */
export interface FailedDrive {
  file: string;
  why: string;
}

export type ImportState =
  | { type: "idle" }
  /** `share` of the bytes that were read, 0 to 1. */
  | { type: "reading"; share: number; drives: number }
  | { type: "preview"; preview: Preview }
  | { type: "importing"; done: number; of: number }
  | { type: "done"; imported: number; failed: FailedDrive[]; refused: RefusedFile[]; isCancelled: boolean }
  | { type: "failed"; why: string };

export const importState = signal<ImportState>({ type: "idle" });

/** Number of drives that are written to the disk at once. */
const AT_ONCE = 8;
/** An import that ended the app this number of times does not continue by itself: a file may be the cause. */
const MAX_STARTS = 3;
/** Maximum number of drives of one import. */
const MAX_DRIVES = 20_000;

const importer = new Importer();
let controller: AbortController | undefined;

/** Reads files and shows a preview. Nothing is imported. */
export async function previewFiles(files: File[]): Promise<void> {
  if (files.length === 0 || controller) return;
  await work(async (signal) => {
    importState.value = { type: "reading", share: 0, drives: 0 };
    const found: Omit<FoundDrive, "fixes">[] = [];
    const refused: RefusedFile[] = [];
    const archived: DocumentRef[] = [];
    let ignored = 0;
    const onProgress = tenTimesASecond(({ readBytes, totalBytes }: ReadProgress) => {
      importState.value = { type: "reading", share: totalBytes === 0 ? 1 : readBytes / totalBytes, drives: found.length };
    });
    for await (const one of importer.read(files, { signal, onProgress })) {
      if (one.type === "ignored") ignored += one.files;
      else if (one.type === "document") archived.push({ kind: one.kind, id: one.id, track: null });
      else if (one.type === "refused") refused.push({ file: one.file, error: one.error });
      else if (found.length === MAX_DRIVES) refused.push({ file: one.file, error: TOO_MANY });
      else {
        const { fixes: _, type: __, ...drive } = one;
        found.push(drive);
      }
    }
    const tourismo = await opened();
    const matches = await tourismo.checkImport(found);
    const here = await tourismo.checkDocuments(archived);
    const documents = archived.map((document, index) => ({ ...document, isHere: here[index]?.type === "here" }));
    const drives = found.map((drive, index) => ({ ...drive, index, match: matches[index] ?? { type: "new" as const } }));
    drives.sort((a, b) => b.startedAt - a.startedAt);
    importState.value = { type: "preview", preview: { files, drives, documents, refused, ignored } };
  });
}

const TOO_MANY: FileError = { type: "unreadable", detail: `one import has at most ${MAX_DRIVES.toLocaleString()} drives` };

/** Imports the chosen drives of files. If the app is killed meanwhile, `resumeImport` continues. */
export async function importDrives(files: File[], choice: Choice, starts = 1): Promise<void> {
  if (controller) return;
  const of = choice.sources.size + choice.documents;
  await work(async (signal) => {
    importState.value = { type: "importing", done: 0, of };
    const tourismo = await opened();
    // If there is no room for the files, the user chooses them again after a kill, and imported drives are skipped.
    await keepPending({ files, choice, starts }).catch(() => {});
    const left = new Set(choice.sources);
    // Two drives may have the same source.
    const isChosen = (found: Found): found is Importable =>
      found.type === "document" ? choice.documents > 0 : found.type === "drive" && left.delete(nameOf(found.source));
    const failed: FailedDrive[] = [];
    const refused: RefusedFile[] = [];
    const onTheWay = new Set<Promise<void>>();
    let [imported, done] = [0, 0];
    const result = (isCancelled: boolean): ImportState => ({ type: "done", imported, failed, refused, isCancelled });
    try {
      for await (const found of importer.read(files, { signal })) {
        if (found.type === "refused") refused.push({ file: found.file, error: found.error });
        if (!isChosen(found)) continue;
        const importing = importOne(tourismo, found, choice.car)
          .then(
            () => {
              if (found.type === "drive" || found.kind === "drive") imported++;
            },
            (thrown) => {
              // Other errors concern all drives.
              if (!(thrown instanceof TourismoError) || !OF_ONE_DRIVE.has(thrown.code)) throw thrown;
              failed.push({ file: found.file, why: describeError(thrown) });
            },
          )
          .finally(() => {
            onTheWay.delete(importing);
            importState.value = { type: "importing", done: ++done, of };
          });
        // Handled where it is awaited.
        importing.catch(() => {});
        onTheWay.add(importing);
        if (onTheWay.size >= AT_ONCE) await Promise.race(onTheWay);
      }
      await Promise.all(onTheWay);
    } catch (thrown) {
      await Promise.allSettled(onTheWay);
      await removePending();
      if (!signal.aborted) throw thrown;
      importState.value = result(true);
      return;
    }
    await removePending();
    importState.value = result(false);
  });
}

type Importable = Extract<Found, { type: "drive" | "document" }>;

async function importOne(tourismo: Tourismo, found: Importable, car: string | null): Promise<void> {
  if (found.type === "document") await tourismo.importDocument(found);
  else await tourismo.importDrive({ source: found.source, title: found.title, car, fixes: found.fixes });
}

const OF_ONE_DRIVE: ReadonlySet<string> = new Set(["nothing_to_import", "invalid", "unreadable", "not_finished"]);

/** Continues the import that a kill of the app interrupted, or previews files that another app shared. */
export async function resumeImport(): Promise<void> {
  if (controller || importState.value.type !== "idle" || engine.value.type !== "open") return;
  const pending = await readPending();
  if (pending && pending.starts < MAX_STARTS) return importDrives(pending.files, pending.choice, pending.starts + 1);
  await previewFiles(await takeSharedFiles());
}

/** Stops reading or importing. Imported drives stay. */
export function cancelImport(): void {
  controller?.abort();
}

/** Shows the start of the screen again. */
export function closeImport(): void {
  if (!controller) importState.value = { type: "idle" };
}

/** The source as a string, for sets and lists. */
export function nameOf(source: Uint8Array): string {
  return Array.from(source, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function work(act: (signal: AbortSignal) => Promise<void>): Promise<void> {
  controller = new AbortController();
  const { signal } = controller;
  try {
    await act(signal);
  } catch (thrown) {
    importState.value = signal.aborted ? { type: "idle" } : { type: "failed", why: describeError(thrown) };
  } finally {
    controller = undefined;
  }
}

/** Limits a callback to ten calls a second. */
function tenTimesASecond<T>(show: (value: T) => void): (value: T) => void {
  let shownAt = 0;
  return (value) => {
    const now = performance.now();
    if (now - shownAt < 100) return;
    shownAt = now;
    show(value);
  };
}
