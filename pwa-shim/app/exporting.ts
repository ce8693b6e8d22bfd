// The export of everything of the account: progress and result. It continues while other screens are shown.

import { signal } from "@preact/signals";
import { exportAccount, Importer } from "@tourismo/client";

import { opened } from "./engine.ts";
import { describeError } from "./messages.ts";
import { saveFile } from "./save-file.ts";

export type ExportState =
  | { type: "idle" }
  /** `share` of the documents that are written, 0 to 1. */
  | { type: "exporting"; share: number }
  | { type: "done"; documents: number; missing: number }
  | { type: "failed"; why: string };

export const exportState = signal<ExportState>({ type: "idle" });

let controller: AbortController | undefined;

/** Writes everything into one file, which the browser saves. */
export async function exportEverything(): Promise<void> {
  if (controller) return;
  controller = new AbortController();
  const { signal } = controller;
  const importer = new Importer();
  exportState.value = { type: "exporting", share: 0 };
  try {
    const onProgress = ({ done, total }: { done: number; total: number }) => {
      exportState.value = { type: "exporting", share: done / total };
    };
    const { file, documents, missing, remove } = await exportAccount(await opened(), importer, { signal, onProgress });
    exportState.value = { type: "done", documents, missing: missing.length };
    void saveFile(file)
      .then(remove)
      .finally(() => importer.close());
  } catch (thrown) {
    importer.close();
    exportState.value = signal.aborted ? { type: "idle" } : { type: "failed", why: describeError(thrown) };
  } finally {
    controller = undefined;
  }
}

/** Stops the export. Nothing is saved. */
export function cancelExport(): void {
  controller?.abort();
}
