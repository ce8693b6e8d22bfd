// Who follows somebody, whom they follow, or whom of those one follows, too.

import type { Follower, Page, PageOf, Told } from "@tourismo/client";

import { relay } from "../engine.ts";
import { day } from "../format.ts";
import { BackIcon } from "../parts/icons.tsx";
import { nameOfPerson, PersonLink } from "../parts/person.tsx";
import { Age, ListEnd } from "../parts/told.tsx";
import { href } from "../route.ts";
import { useTold, useToldList } from "../told.ts";
import { FollowButton } from "./people.tsx";

type Which = "followers" | "following" | "in-common";

const WORDS: Record<Which, { title: string; empty: string }> = {
  followers: { title: "Followers", empty: "Nobody yet." },
  following: { title: "Following", empty: "Nobody yet." },
  "in-common": { title: "In common", empty: "You follow nobody whom they follow." },
};

function ask(which: Which, name: string, page: PageOf): Promise<Page<"people", Follower> & Told> {
  switch (which) {
    case "followers":
      return relay.followers(name, page);
    case "following":
      return relay.following(name, page);
    case "in-common":
      return relay.inCommon(name, page);
    default:
      return which satisfies never;
  }
}

export function FollowsScreen({ name, which }: { name: string; which: Which }) {
  const { told: person } = useTold(`person ${name}`, () => relay.person(name));
  const list = useToldList(`${which} ${name}`, async (page) => {
    const { people, ...rest } = await ask(which, name, page);
    return { ...rest, items: people };
  });
  const { title, empty } = WORDS[which];
  return (
    <section class="page">
      <a class="back" href={href({ screen: "person", name })}>
        <BackIcon /> {person ? nameOfPerson(person) : "Back"}
      </a>
      <header class="page-head">
        <h1>{title}</h1>
      </header>
      <Age told={list.told} />
      <ul class="list cards">
        {list.items.map((somebody) => (
          <li key={somebody.account}>
            <PersonLink person={somebody} detail={`since ${day(somebody.since)}`}>
              <FollowButton person={somebody} />
            </PersonLink>
          </li>
        ))}
      </ul>
      <ListEnd list={list} empty={empty} older="More people" />
    </section>
  );
}
