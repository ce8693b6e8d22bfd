// Lists of people: followers of a person, people whom they follow, and those whom both they and the user follow.

import type { Follower, Page, PageOf, QueryMeta } from "@tourismo/client";
import { BackIcon } from "../components/icons.tsx";
import { nameOfPerson, PersonLink } from "../components/person.tsx";
import { ListEnd, StaleNotice } from "../components/query-status.tsx";
import { relay } from "../engine.ts";
import { day } from "../format.ts";
import { useRelayList, useRelayQuery } from "../relay-query.ts";
import { href } from "../route.ts";
import { FollowButton } from "./people.tsx";

type Which = "followers" | "following" | "inCommon";

const TEXTS: Record<Which, { title: string; empty: string }> = {
  followers: { title: "Followers", empty: "Nobody yet." },
  following: { title: "Following", empty: "Nobody yet." },
  inCommon: { title: "In common", empty: "You follow none of the people whom they follow." },
};

function fetchPage(which: Which, name: string, page: PageOf): Promise<Page<"people", Follower> & QueryMeta> {
  switch (which) {
    case "followers":
      return relay.followers(name, page);
    case "following":
      return relay.following(name, page);
    case "inCommon":
      return relay.inCommon(name, page);
    default:
      return which satisfies never;
  }
}

export function FollowsScreen({ name, which }: { name: string; which: Which }) {
  const { data: owner } = useRelayQuery(`person ${name}`, () => relay.person(name));
  const list = useRelayList(`${which} ${name}`, async (page) => {
    const { people, ...rest } = await fetchPage(which, name, page);
    return { ...rest, items: people };
  });
  const { title, empty } = TEXTS[which];
  return (
    <section class="page">
      <a class="back" href={href({ screen: "person", name })}>
        <BackIcon /> {owner ? nameOfPerson(owner) : "Back"}
      </a>
      <header class="page-head">
        <h1>{title}</h1>
      </header>
      <StaleNotice meta={list.meta} />
      <ul class="list cards">
        {list.items.map((person) => (
          <li key={person.account}>
            <PersonLink person={person} detail={`since ${day(person.since)}`}>
              <FollowButton person={person} />
            </PersonLink>
          </li>
        ))}
      </ul>
      <ListEnd list={list} empty={empty} older="More people" />
    </section>
  );
}
