// The head of Discover with its tabs: drives of people whom the user follows, drives of everyone, roads.

import { signal } from "@preact/signals";

import { isInUse, social } from "../engine.ts";
import { go, href } from "../route.ts";
import { PeopleIcon } from "./icons.tsx";
import { Segments } from "./segments.tsx";

type Feed = "following" | "everyone";

const chosenFeed = signal<Feed | undefined>(undefined);

/** The feed that is shown: the chosen one, else "following" if the user follows anybody. */
export function shownFeed(): Feed {
  const followsAny = (social.value?.follows.length ?? 0) > 0;
  return isInUse() ? (chosenFeed.value ?? (followsAny ? "following" : "everyone")) : "everyone";
}

export function DiscoverHead({ chosen }: { chosen: Feed | "roads" }) {
  function choose(value: Feed | "roads"): void {
    if (value !== "roads") chosenFeed.value = value;
    go({ screen: value === "roads" ? "roads" : "feed" });
  }
  const feeds: { value: Feed | "roads"; label: string }[] = isInUse() ? [{ value: "following", label: "Following" }] : [];
  return (
    <>
      <header class="page-head">
        <h1>Discover</h1>
        {isInUse() ? (
          <a class="button small" href={href({ screen: "people" })}>
            <PeopleIcon /> People
          </a>
        ) : null}
      </header>
      <Segments
        label="What to look at"
        segments={[...feeds, { value: "everyone", label: "Everyone" }, { value: "roads", label: "Roads" }]}
        chosen={chosen}
        onChoose={choose}
      />
    </>
  );
}
