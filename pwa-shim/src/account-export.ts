// The export of everything of an account as one zip archive, which `Importer.read` reads again. core/import/src/account.rs has its layout.

import type { Tourismo } from "./client.ts";
import { type ErrorCode, TourismoError } from "./errors.ts";
import type { DocId } from "./generated/types.ts";
import type { Importer } from "./importer.ts";

export interface ExportOptions {
  /** Stops the export: `exportAccount` throws the reason of the signal. */
  signal?: AbortSignal;
  /** Calls back after each document. */
  onProgress?: (progress: { done: number; total: number }) => void;
}

/** An archive of an account. */
export interface AccountExport {
  /** The archive. The browser keeps it on the disk until `remove`, or until the next export. */
  file: File;
  /** The number of documents in it. */
  documents: number;
  /** Drives and other documents that are not in it: not all of them is on this phone, and the relay cannot be asked. */
  missing: DocId[];
  /** Removes the archive from the disk of the browser. */
  remove(): Promise<void>;
}

/** The views that are part of the archive, as JSON. */
const VIEWS = ["account", "cars", "drives", "meets", "social"] as const;

/** The errors of documents that are not here, or that this phone cannot read. The others are exported. */
const MISSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["track_not_here", "not_found", "unreadable"]);

/**
 * Writes everything of the account into a zip archive, without network for all that is on this phone: drives with every position,
 * also refused ones, cars with logbooks, meets, settings with places, profile and follows. Published copies of drives, deleted drives
 * and the drive that is being recorded are not part of it. Memory holds one document at a time.
 *
 * @example
 * const { file, missing } = await exportAccount(tourismo, importer);
 */
export async function exportAccount(
  tourismo: Tourismo,
  importer: Importer,
  { signal, onProgress }: ExportOptions = {},
): Promise<AccountExport> {
  const documents = await tourismo.listDocuments();
  const drives = new Map((await tourismo.read("drives")).map((drive) => [drive.id, drive]));
  const missing: DocId[] = [];
  const archive = await importer.beginArchive();
  try {
    for (const [index, { kind, id, track }] of documents.entries()) {
      signal?.throwIfAborted();
      try {
        const bytes = await tourismo.readDocument(id);
        const trackBytes = track === null ? null : await tourismo.readDocument(track);
        await archive.addDocument({ kind, id, bytes, track: trackBytes });
        const drive = drives.get(id);
        if (drive) await archive.addGpx(drive, await tourismo.readFixes(id));
      } catch (thrown) {
        if (!(thrown instanceof TourismoError && MISSING.has(thrown.code))) throw thrown;
        missing.push(id);
      }
      onProgress?.({ done: index + 1, total: documents.length });
    }
    for (const view of VIEWS) await archive.addJson(view, JSON.stringify(await tourismo.read(view), null, 1));
    const { account } = await tourismo.read("account");
    const file = await archive.finish(account, missing);
    return { file, documents: documents.length - missing.length, missing, remove: () => archive.remove() };
  } catch (thrown) {
    await archive.remove();
    throw thrown;
  }
}
