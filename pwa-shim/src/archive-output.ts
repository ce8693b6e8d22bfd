// The file of an archive that the import worker writes. It is in the private file system of the origin and not in memory. Browsers
// without such a file system get a blob.

/** A file that is written from the start to the end. */
export interface ArchiveOutput {
  write(bytes: Uint8Array<ArrayBuffer>): void;
  finish(): Promise<Blob>;
  /** Closes and removes the file. */
  remove(): Promise<void>;
}

/** Exists in workers only. TypeScript's types are those of a page. */
interface SyncAccessHandle {
  write(bytes: Uint8Array): number;
  flush(): void;
  close(): void;
}

const PREFIX = "tourismo-export ";
/** A file of this age is left over from a page that was closed, milliseconds. */
const LEFT_OVER_MS = 3_600_000;

export async function openArchiveOutput(): Promise<ArchiveOutput> {
  return (await openFile().catch(() => undefined)) ?? openBlob();
}

async function openFile(): Promise<ArchiveOutput> {
  const folder = await navigator.storage.getDirectory();
  await removeLeftOver(folder);
  const name = `${PREFIX}${crypto.randomUUID()}`;
  const file = await folder.getFileHandle(name, { create: true });
  const access = await (file as unknown as { createSyncAccessHandle(): Promise<SyncAccessHandle> }).createSyncAccessHandle();
  return {
    write(bytes) {
      let rest = bytes;
      while (rest.length > 0) {
        const written = access.write(rest);
        if (written === 0) throw new DOMException("the disk is full", "QuotaExceededError");
        rest = rest.subarray(written);
      }
    },
    async finish() {
      access.flush();
      access.close();
      return file.getFile();
    },
    async remove() {
      access.close();
      await folder.removeEntry(name).catch(() => undefined);
    },
  };
}

async function removeLeftOver(folder: FileSystemDirectoryHandle): Promise<void> {
  for await (const [name, entry] of (folder as unknown as { entries(): AsyncIterable<[string, FileSystemHandle]> }).entries()) {
    if (!name.startsWith(PREFIX) || entry.kind !== "file") continue;
    const { lastModified } = await (entry as FileSystemFileHandle).getFile();
    if (Date.now() - lastModified > LEFT_OVER_MS) await folder.removeEntry(name).catch(() => undefined);
  }
}

function openBlob(): ArchiveOutput {
  let blob = new Blob();
  return {
    write(bytes) {
      blob = new Blob([blob, bytes]);
    },
    finish: () => Promise.resolve(blob),
    remove: () => Promise.resolve(),
  };
}
