// Links that take a place or a road to a navigation app: opened at the place (RFC 5870), or saved as GPX. A computer may have no app
// for the first.

import { useSignal } from "@preact/signals";
import { type Destination, Importer } from "@tourismo/client";

import { describeError } from "../messages.ts";
import { saveFile } from "../save-file.ts";
import { showNotice } from "./notice.tsx";

export function DestinationLinks({ destination }: { destination: Destination }) {
  const isBusy = useSignal(false);
  async function save(): Promise<void> {
    isBusy.value = true;
    const writer = new Importer();
    try {
      void saveFile(await writer.writeDestination(destination));
    } catch (thrown) {
      showNotice(describeError(thrown));
    } finally {
      writer.close();
      isBusy.value = false;
    }
  }
  return (
    <div class="button-row">
      <a class="button small" href={addressOf(destination)} data-testid="navigate">
        Navigate there
      </a>
      <button type="button" class="button small" data-testid="save-gpx" disabled={isBusy.value} onClick={() => void save()}>
        Save as GPX
      </button>
    </div>
  );
}

/** The address that opens a navigation app. The query is what most apps show as a pin. */
export function addressOf({ name, position: [lon, lat] }: Destination): string {
  const place = `${lat.toFixed(6)},${lon.toFixed(6)}`;
  return `geo:${place}?q=${place}(${encodeURIComponent(name.replace(/[()]/g, " ").trim())})`;
}
