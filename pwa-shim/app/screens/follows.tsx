// Who follows somebody, or whom they follow.

import { relay } from "../engine.ts";
import { day } from "../format.ts";
import { BackIcon } from "../parts/icons.tsx";
import { nameOfPerson, PersonLink } from "../parts/person.tsx";
import { Age, ListEnd } from "../parts/told.tsx";
import { href } from "../route.ts";
import { useTold, useToldList } from "../told.ts";
import { FollowButton } from "./people.tsx";

const WORDS = {
  followers: { title: "Followers", empty: "Nobody yet." },
  following: { title: "Following", empty: "Nobody yet." },
};

export function FollowsScreen({ name, which }: { name: string; which: "followers" | "following" }) {
  const { told: person } = useTold(`person ${name}`, () => relay.person(name));
  const list = useToldList(`${which} ${name}`, async (page) => {
    const { people, ...rest } = await (which === "followers" ? relay.followers(name, page) : relay.following(name, page));
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
