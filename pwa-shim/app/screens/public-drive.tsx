// A published drive as others see it, with reactions and comments.

import type { PublishedTrack } from "@tourismo/client";
import { useMemo } from "preact/hooks";
import { Charts } from "../components/charts.tsx";
import { Comments } from "../components/comments.tsx";
import { DriveStatsGrid } from "../components/drive-stats.tsx";
import { BackIcon } from "../components/icons.tsx";
import { DriveMap } from "../components/map.tsx";
import { nameOfPerson } from "../components/person.tsx";
import { StaleNotice } from "../components/query-status.tsx";
import { Reactions } from "../components/reactions.tsx";
import { ReportButton } from "../components/report.tsx";
import { me, relay, units } from "../engine.ts";
import { day, titleOf } from "../format.ts";
import { useRelayQuery } from "../relay-query.ts";
import { href } from "../route.ts";

export function PublicDriveScreen({ id }: { id: string }) {
  const { data, failed } = useRelayQuery(`drive ${id}`, () => relay.publishedDrive(id));
  return (
    <section class="page drive-page">
      <a class="back" href={href({ screen: "feed" })}>
        <BackIcon /> Discover
      </a>
      <StaleNotice meta={data} />
      {data ? <Shown drive={data} /> : <p class="opening">{failed ?? "Loading…"}</p>}
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
          <p class="hint">
            This is the published copy. Private parts are left out; the statistics are those of the visible part.
          </p>
          <Reactions drive={drive.id} />
          <DriveStatsGrid stats={drive.stats} units={units()} />
          <Charts profile={drive.profile} units={units()} />
        </div>
        <div class="column">
          <Comments drive={drive.id} owner={drive.account} />
          {drive.account === me().account ? null : <ReportButton about={{ target: "drive", id: drive.id }} />}
        </div>
      </div>
    </>
  );
}
