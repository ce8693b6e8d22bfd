// Saves a file in the folder of downloads.

/** How long the browser may take to read a file after the click, milliseconds. There is no event for the end. */
const READ_MS = 60_000;

/** Saves a file. Resolves when the browser has read it. */
export async function saveFile(file: File): Promise<void> {
  const link = document.createElement("a");
  const address = URL.createObjectURL(file);
  [link.href, link.download] = [address, file.name];
  link.click();
  await new Promise((resolve) => setTimeout(resolve, READ_MS));
  URL.revokeObjectURL(address);
}
