// What others did: those whom the person follows, or everybody.

import type { FeedDrive, HomeItem } from "@tourismo/client";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";

import { account, relay, social, units } from "../engine.ts";
import { day, titleOf, upToThousand } from "../format.ts";
import { feltNow } from "../merge.ts";
import { DiscoverHead, shownFeed } from "../parts/discover-head.tsx";
import { RowFigure } from "../parts/figures.tsx";
import { CommentIcon } from "../parts/icons.tsx";
import { MeetRow } from "../parts/meet-row.tsx";
import { nameOfPerson } from "../parts/person.tsx";
import { REACTIONS } from "../parts/reactions.tsx";
import { Sketch } from "../parts/sketch.tsx";
import { Age, ListEnd } from "../parts/told.tsx";
import { href } from "../route.ts";
import { useToldList } from "../told.ts";

export function FeedScreen() {
  const feed = shownFeed();
  return (
    <section class="page">
      <DiscoverHead chosen={feed} />
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
  return (
    <a class="row feed-row" href={href({ screen: "public", id: drive.id })} data-testid="feed-drive">
      <Sketch parts={drive.line.parts} />
      <div class="row-main">
        <h2>{titleOf(drive)}</h2>
        <p class="row-line">{nameOfPerson(drive)}</p>
        <p class="row-line">{day(drive.startedAt, drive.utcOffsetMin)}</p>
        <Said drive={drive} />
      </div>
      <RowFigure stats={drive.stats} ms={drive.stats.movingMs} units={units()} />
    </a>
  );
}

/** What people feel and say about a drive, counted; nothing if nobody did. */
function Said({ drive }: { drive: FeedDrive }) {
  const { counts } = feltNow(drive.id, { counts: drive.reactions, mine: drive.mine }, social.value);
  const felt = REACTIONS.filter(({ reaction }) => counts[reaction] > 0);
  if (felt.length === 0 && drive.comments === 0) return null;
  return (
    <p class="row-said">
      {felt.map(({ reaction, label, icon: Icon }) => (
        <Count key={reaction} label={label} count={counts[reaction]} icon={Icon} />
      ))}
      {drive.comments > 0 ? <Count label="Comments" count={drive.comments} icon={CommentIcon} /> : null}
    </p>
  );
}

function Count({ label, count, icon: Icon }: { label: string; count: number; icon: ComponentType }) {
  const shown = upToThousand(count);
  return (
    <span role="img" aria-label={`${label}: ${shown}`}>
      <Icon />
      {shown}
    </span>
  );
}
