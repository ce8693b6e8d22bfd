// Feeds of drives and meets: of people whom the user follows, and of everyone.

import type { FeedDrive, HomeItem } from "@tourismo/client";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { DiscoverHead, shownFeed } from "../components/discover-head.tsx";
import { RowStats } from "../components/drive-stats.tsx";
import { CommentIcon } from "../components/icons.tsx";
import { LineThumbnail } from "../components/line-thumbnail.tsx";
import { MeetRow } from "../components/meet-row.tsx";
import { nameOfPerson } from "../components/person.tsx";
import { ListEnd, StaleNotice } from "../components/query-status.tsx";
import { REACTIONS } from "../components/reactions.tsx";
import { account, relay, social, units } from "../engine.ts";
import { day, titleOf, upToThousand } from "../format.ts";
import { withOwnReaction } from "../optimistic.ts";
import { useRelayList } from "../relay-query.ts";
import { href } from "../route.ts";

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
  const list = useRelayList("public feed", async (page) => {
    const { drives, ...rest } = await relay.publicFeed(page);
    return { ...rest, items: drives };
  });
  return (
    <>
      <StaleNotice meta={list.meta} />
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
  const list = useRelayList("home feed", relay.homeFeed.bind(relay));
  useEffect(() => relay.onHomeFeed(list.reload), []);
  return (
    <>
      <StaleNotice meta={list.meta} />
      <ul class="list cards">
        {list.items.map((item) => (
          <li key={item.id}>
            <HomeCard item={item} />
          </li>
        ))}
      </ul>
      <ListEnd list={list} empty="Nothing yet. Find people to follow under People." older="Older items" />
    </>
  );
}

function HomeCard({ item }: { item: HomeItem }) {
  return item.kind === "drive" ? <FeedCard drive={item} /> : <MeetRow meet={item} />;
}

export function FeedCard({ drive }: { drive: FeedDrive }) {
  return (
    <a class="row feed-row" href={href({ screen: "publicDrive", id: drive.id })} data-testid="feed-drive">
      <LineThumbnail parts={drive.line.parts} />
      <div class="row-main">
        <h2>{titleOf(drive)}</h2>
        <p class="row-line">{nameOfPerson(drive)}</p>
        <p class="row-line">{day(drive.startedAt, drive.utcOffsetMin)}</p>
        <Engagement drive={drive} />
      </div>
      <RowStats stats={drive.stats} ms={drive.stats.movingMs} units={units()} />
    </a>
  );
}

/** The number of reactions and comments; nothing if there are none. */
function Engagement({ drive }: { drive: FeedDrive }) {
  const { counts } = withOwnReaction(drive.id, { counts: drive.reactions, mine: drive.mine }, social.value);
  const given = REACTIONS.filter(({ reaction }) => counts[reaction] > 0);
  if (given.length === 0 && drive.comments === 0) return null;
  return (
    <p class="row-engagement">
      {given.map(({ reaction, label, icon: Icon }) => (
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
