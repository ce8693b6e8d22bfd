// What others did: those whom the person follows, or everybody.

import { useSignal } from "@preact/signals";
import type { FeedDrive, HomeItem } from "@tourismo/client";
import { useEffect } from "preact/hooks";

import { account, isInUse, relay, social, units } from "../engine.ts";
import { day, distance, roughDuration, titleOf } from "../format.ts";
import { PeopleIcon } from "../parts/icons.tsx";
import { MeetRow } from "../parts/meet-row.tsx";
import { nameOfPerson } from "../parts/person.tsx";
import { Segments } from "../parts/segments.tsx";
import { Sketch } from "../parts/sketch.tsx";
import { Age, ListEnd } from "../parts/told.tsx";
import { href } from "../route.ts";
import { useToldList } from "../told.ts";

type Feed = "following" | "everyone";

export function FeedScreen() {
  const chosen = useSignal<Feed | undefined>(undefined);
  const followsAny = (social.value?.follows.length ?? 0) > 0;
  const feed = chosen.value ?? (followsAny ? "following" : "everyone");
  return (
    <section class="page">
      <header class="page-head">
        <h1>Discover</h1>
        {isInUse() ? (
          <a class="button small" href={href({ screen: "people" })}>
            <PeopleIcon /> People
          </a>
        ) : null}
      </header>
      {isInUse() ? (
        <Segments
          label="Whose drives"
          segments={[
            { value: "following", label: "Following" },
            { value: "everyone", label: "Everyone" },
          ]}
          chosen={feed}
          onChoose={(value) => (chosen.value = value)}
        />
      ) : null}
      {feed === "following" ? <Following /> : <Everyone />}
    </section>
  );
}

function Everyone() {
  const list = useToldList("public feed", async (page) => {
    const { drives, ...rest } = await relay.publicFeed(page);
    return { ...rest, items: drives };
  });
  return (
    <>
      <Age told={list.told} />
      <ul class="list cards">
        {list.items.map((drive) => (
          <li key={drive.id}>
            <FeedCard drive={drive} />
          </li>
        ))}
      </ul>
      <ListEnd list={list} empty="Nobody has published a drive yet. Yours could be the first." older="Older drives" />
    </>
  );
}

function Following() {
  const id = account.value?.account;
  return id === undefined ? <p class="opening">Opening…</p> : <FollowingFeed key={id} />;
}

function FollowingFeed() {
  const list = useToldList("home feed", relay.homeFeed.bind(relay));
  useEffect(() => relay.onHomeFeed(list.reload), []);
  return (
    <>
      <Age told={list.told} />
      <ul class="list cards">
        {list.items.map((item) => (
          <li key={item.id}>
            <HomeCard item={item} />
          </li>
        ))}
      </ul>
      <ListEnd
        list={list}
        empty="Nothing yet. Follow people whose drives you like: search for them under People."
        older="Older ones"
      />
    </>
  );
}

function HomeCard({ item }: { item: HomeItem }) {
  return item.kind === "drive" ? <FeedCard drive={item} /> : <MeetRow meet={item} />;
}

export function FeedCard({ drive }: { drive: FeedDrive }) {
  const { value, unit } = distance(drive.stats.distanceM, units());
  return (
    <a class="row feed-row" href={href({ screen: "public", id: drive.id })} data-testid="feed-drive">
      <Sketch parts={drive.line.parts} />
      <div class="row-main">
        <h2>{titleOf(drive)}</h2>
        <p class="row-line">{nameOfPerson(drive)}</p>
        <p class="row-line">{day(drive.startedAt)}</p>
      </div>
      <div class="row-figure">
        <span class="figure-value">
          {value}
          <span class="figure-unit">{unit}</span>
        </span>
        <span class="figure-label">{roughDuration(drive.stats.movingMs)}</span>
      </div>
    </a>
  );
}
