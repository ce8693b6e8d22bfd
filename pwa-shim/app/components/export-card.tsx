// Saves a drive as a file, without network.

import { useSignal } from "@preact/signals";
import { type DriveView, type ExportFormat, Importer } from "@tourismo/client";

import { run } from "../engine.ts";
import { titleOf } from "../format.ts";
import { saveFile } from "../save-file.ts";

const FORMATS: [format: ExportFormat, name: string][] = [
  ["gpx", "GPX"],
  ["fit", "FIT"],
  ["geojson", "GeoJSON"],
  ["csv", "CSV"],
];

export function ExportCard({ drive }: { drive: DriveView }) {
  const isBusy = useSignal(false);
  async function save(format: ExportFormat): Promise<void> {
    isBusy.value = true;
    const writer = new Importer();
    await run(async (tourismo) => {
      const fixes = await tourismo.readFixes(drive.id);
      const date = new Date(drive.startedAt).toISOString().slice(0, 10);
      void saveFile(await writer.write(format, `${titleOf(drive)} ${date}`, fixes));
    });
    writer.close();
    isBusy.value = false;
  }
  return (
    <div class="card form" data-testid="export">
      <h2>Save as a file</h2>
      <div class="button-row">
        {FORMATS.map(([format, name]) => (
          <button key={format} type="button" class="button small" disabled={isBusy.value} onClick={() => void save(format)}>
            {name}
          </button>
        ))}
      </div>
      <p class="hint">All positions, with private places. GPX has speed, course and accuracies, too.</p>
    </div>
  );
}
