// Files that the system opens with the app: `file_handlers` of the manifest.

import { previewFiles } from "./importing.ts";
import { go } from "./route.ts";

/** Not in TypeScript's types: the Launch Handler API. */
interface LaunchQueue {
  setConsumer(consumer: (launch: { files?: readonly FileSystemFileHandle[] }) => void): void;
}

/** Shows the import of files with which the app is opened, now and later. */
export function takeLaunchFiles(): void {
  const { launchQueue } = globalThis as { launchQueue?: LaunchQueue };
  launchQueue?.setConsumer(({ files = [] }) => {
    if (files.length > 0) void take(files);
  });
}

async function take(handles: readonly FileSystemFileHandle[]): Promise<void> {
  const files = await Promise.all(handles.map((handle) => handle.getFile()));
  go({ screen: "import" });
  await previewFiles(files);
}
