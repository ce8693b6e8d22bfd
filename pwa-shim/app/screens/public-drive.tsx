// A drive that somebody published, as everybody sees it.

import { useSignal } from "@preact/signals";
import type { PublishedTrack } from "@tourismo/client";
import { useEffect } from "preact/hooks";

import { relay, units } from "../engine.ts";
import { day, titleOf } from "../format.ts";
import { Charts } from "../parts/charts.tsx";
import { DriveFigures } from "../parts/figures.tsx";
import { BackIcon } from "../parts/icons.tsx";
import { DriveMap } from "../parts/map.tsx";
import { href } from "../route.ts";
import { wordsOfError } from "../words.ts";

export function PublicDriveScreen({ id }: { id: string }) {
  const drive = useSignal<PublishedTrack | undefined>(undefined);
  const failed = useSignal<string | undefined>(undefined);
  useEffect(() => {
    relay.publishedDrive(id).then(
      (found) => (drive.value = found),
      (thrown: unknown) => (failed.value = wordsOfError(thrown)),
    );
  }, [id]);

  const shown = drive.value;
  return (
    <section class="page drive-page">
      <a class="back" href={href({ screen: "feed" })}>
        <BackIcon /> Discover
      </a>
      {shown ? <Shown drive={shown} /> : <p class="opening">{failed.value ?? "Asking the relay…"}</p>}
    </section>
  );
}

function Shown({ drive }: { drive: PublishedTrack }) {
  const author = drive.displayName || drive.handle || "A driver";
  return (
    <>
      <header class="page-head">
        <div>
          <h1>{titleOf(drive)}</h1>
          <p class="row-line">
            {author} · {day(drive.startedAt)}
            {drive.car ? ` · ${drive.car}` : ""}
          </p>
        </div>
      </header>
      <div class="drive-columns">
        <div class="drive-shown">
          <DriveMap line={drive.line} />
        </div>
        <div class="drive-told">
          <DriveFigures stats={drive.stats} units={units()} />
          <Charts profile={drive.profile} units={units()} />
          <p class="hint">
            A copy made for others: its ends are cut off, and its figures are those of what is shown.
          </p>
        </div>
      </div>
    </>
  );
}
