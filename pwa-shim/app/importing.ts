// The import of drives from files: what was found, what the user chose, and how far it is. It goes on while other screens are shown.

import { signal } from "@preact/signals";
import {
  type FileError,
  type FoundDrive,
  Importer,
  type ImportMatch,
  type ReadProgress,
  type RefusedFile,
  TourismoError,
} from "@tourismo/client";

import { engine, opened } from "./engine.ts";
import { describeError } from "./messages.ts";
import { keepPending, readPending, removePending } from "./pending-import.ts";
import { takeSharedFiles } from "./shared-files.ts";

/** A drive that was found, without its positions. `index` is its place among them: two may have the same positions. */
export type Candidate = Omit<FoundDrive, "fixes"> & { index: number; match: ImportMatch };

/** What was found in files. */
export interface Preview {
  files: File[];
  drives: Candidate[];
  refused: RefusedFile[];
  ignored: number;
}

/** A drive that could not be kept. */
export interface NotKept {
  file: string;
  why: string;
}

export type ImportState =
  | { type: "idle" }
  /** `share`: how much of the files was read, 0 to 1. */
  | { type: "reading"; share: number; drives: number }
  | { type: "preview"; preview: Preview }
  | { type: "keeping"; done: number; of: number }
  | { type: "done"; kept: number; notKept: NotKept[]; refused: RefusedFile[]; isCancelled: boolean }
  | { type: "failed"; why: string };

export const importState = signal<ImportState>({ type: "idle" });

/** So many drives are on their way to the disk at once. */
const AT_ONCE = 8;
/** Maximum number of drives of one import. */
const MAX_DRIVES = 20_000;

const importer = new Importer();
let controller: AbortController | undefined;

/** Reads files and shows what is in them. Nothing is kept. */
export async function previewFiles(files: File[]): Promise<void> {
  if (files.length === 0 || controller) return;
  await work(async (signal) => {
    importState.value = { type: "reading", share: 0, drives: 0 };
    const found: Omit<FoundDrive, "fixes">[] = [];
    const refused: RefusedFile[] = [];
    let ignored = 0;
    const onProgress = tenTimesASecond(({ readBytes, totalBytes }: ReadProgress) => {
      importState.value = { type: "reading", share: totalBytes === 0 ? 1 : readBytes / totalBytes, drives: found.length };
    });
    for await (const one of importer.read(files, { signal, onProgress })) {
      if (one.type === "ignored") ignored += one.files;
      else if (one.type === "refused") refused.push({ file: one.file, error: one.error });
      else if (found.length === MAX_DRIVES) refused.push({ file: one.file, error: TOO_MANY });
      else {
        const { fixes: _, type: __, ...drive } = one;
        found.push(drive);
      }
    }
    const matches = await (await opened()).checkImport(found);
    const drives = found.map((drive, index) => ({ ...drive, index, match: matches[index] ?? { type: "new" as const } }));
    drives.sort((a, b) => b.startedAt - a.startedAt);
    importState.value = { type: "preview", preview: { files, drives, refused, ignored } };
  });
}

const TOO_MANY: FileError = { type: "unreadable", detail: `one import has at most ${MAX_DRIVES.toLocaleString()} drives` };

/** Keeps the chosen drives of files. If the app ends meanwhile, `resumeImport` goes on. */
export async function keepDrives(files: File[], sources: ReadonlySet<string>, car: string | null): Promise<void> {
  if (controller) return;
  await work(async (signal) => {
    importState.value = { type: "keeping", done: 0, of: sources.size };
    const tourismo = await opened();
    // Without room for the files, the user chooses them again after a kill; what was kept is found then.
    await keepPending({ files, sources: [...sources], car }).catch(() => {});
    const left = new Set(sources);
    const notKept: NotKept[] = [];
    const refused: RefusedFile[] = [];
    const onTheWay = new Set<Promise<void>>();
    let kept = 0;
    const result = (isCancelled: boolean): ImportState => ({ type: "done", kept, notKept, refused, isCancelled });
    try {
      for await (const found of importer.read(files, { signal })) {
        if (found.type === "refused") refused.push({ file: found.file, error: found.error });
        if (found.type !== "drive" || !left.delete(nameOf(found.source))) continue;
        const keeping = tourismo
          .importDrive({ source: found.source, title: found.title, car, fixes: found.fixes })
          .then(
            () => void kept++,
            (thrown) => {
              // Only what concerns this drive lets the others go on.
              if (!(thrown instanceof TourismoError) || !OF_ONE_DRIVE.has(thrown.code)) throw thrown;
              notKept.push({ file: found.file, why: describeError(thrown) });
            },
          )
          .finally(() => {
            onTheWay.delete(keeping);
            importState.value = { type: "keeping", done: kept + notKept.length, of: sources.size };
          });
        // Handled where it is awaited.
        keeping.catch(() => {});
        onTheWay.add(keeping);
        if (onTheWay.size >= AT_ONCE) await Promise.race(onTheWay);
      }
      await Promise.all(onTheWay);
    } catch (thrown) {
      if (!signal.aborted) throw thrown;
      await Promise.allSettled(onTheWay);
      await removePending();
      importState.value = result(true);
      return;
    }
    await removePending();
    importState.value = result(false);
  });
}

const OF_ONE_DRIVE: ReadonlySet<string> = new Set(["nothing_to_import", "invalid"]);

/** Goes on with the import that the end of the app interrupted, or with files that another app shared. */
export async function resumeImport(): Promise<void> {
  if (controller || importState.value.type !== "idle" || engine.value.type !== "open") return;
  const pending = await readPending();
  if (pending) return keepDrives(pending.files, new Set(pending.sources), pending.car);
  await previewFiles(await takeSharedFiles());
}

/** Stops reading or keeping. What was kept stays. */
export function cancelImport(): void {
  controller?.abort();
}

/** Shows the start of the screen again. */
export function closeImport(): void {
  if (!controller) importState.value = { type: "idle" };
}

/** The name of a source in sets and lists. */
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
