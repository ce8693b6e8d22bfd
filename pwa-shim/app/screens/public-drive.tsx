// A drive that somebody published, as others see it, with what they feel and say about it.

import type { PublishedTrack } from "@tourismo/client";
import { useMemo } from "preact/hooks";

import { relay, units } from "../engine.ts";
import { day, titleOf } from "../format.ts";
import { Charts } from "../parts/charts.tsx";
import { Comments } from "../parts/comments.tsx";
import { DriveFigures } from "../parts/figures.tsx";
import { BackIcon } from "../parts/icons.tsx";
import { DriveMap } from "../parts/map.tsx";
import { nameOfPerson } from "../parts/person.tsx";
import { Reactions } from "../parts/reactions.tsx";
import { Age } from "../parts/told.tsx";
import { href } from "../route.ts";
import { useTold } from "../told.ts";

export function PublicDriveScreen({ id }: { id: string }) {
  const { told, failed } = useTold(`drive ${id}`, () => relay.publishedDrive(id));
  return (
    <section class="page drive-page">
      <a class="back" href={href({ screen: "feed" })}>
        <BackIcon /> Discover
      </a>
      <Age told={told} />
      {told ? <Shown drive={told} /> : <p class="opening">{failed ?? "Asking the relay…"}</p>}
    </section>
  );
}

function Shown({ drive }: { drive: PublishedTrack }) {
  const drawn = useMemo(() => ({ line: drive.line }), [drive]);
  return (
    <>
      <header class="page-head">
        <div>
          <h1>{titleOf(drive)}</h1>
          <p class="row-line">
            <a href={href({ screen: "person", name: drive.handle || drive.account })}>{nameOfPerson(drive)}</a> ·{" "}
            {day(drive.startedAt, drive.utcOffsetMin)}
            {drive.car ? ` · ${drive.car}` : ""}
          </p>
        </div>
      </header>
      <div class="columns">
        <div class="column">
          <DriveMap drawn={drawn} />
          <p class="hint">A copy made for others: what is private is cut off, and the figures are those of what is shown.</p>
          <Reactions drive={drive.id} />
          <DriveFigures stats={drive.stats} units={units()} />
          <Charts profile={drive.profile} units={units()} />
        </div>
        <div class="column">
          <Comments drive={drive.id} />
        </div>
      </div>
    </>
  );
}
