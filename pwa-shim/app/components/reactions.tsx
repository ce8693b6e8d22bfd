// The reactions to a drive, as buttons that set the user's own.

import type { Reaction } from "@tourismo/client";
import type { ComponentType } from "preact";

import { relay, run, social } from "../engine.ts";
import { withOwnReaction } from "../optimistic.ts";
import { useRelayQuery } from "../relay-query.ts";
import { CarIcon, HeartIcon, RoadIcon, StarIcon } from "./icons.tsx";

export const REACTIONS: { reaction: Reaction; label: string; icon: ComponentType }[] = [
  { reaction: "like", label: "Like", icon: HeartIcon },
  { reaction: "wow", label: "Wow", icon: StarIcon },
  { reaction: "road", label: "What a road", icon: RoadIcon },
  { reaction: "car", label: "What a car", icon: CarIcon },
];

export function Reactions({ drive }: { drive: string }) {
  const { data } = useRelayQuery(`reactions ${drive}`, () => relay.reactions(drive));
  const { counts, mine } = withOwnReaction(drive, data, social.value);
  const react = (reaction: Reaction): void => void run((tourismo) => tourismo.react(drive, mine === reaction ? null : reaction));
  return (
    <div class="reactions" role="group" aria-label="Reactions">
      {REACTIONS.map(({ reaction, label, icon: Icon }) => (
        <button
          key={reaction}
          type="button"
          class="reaction"
          aria-label={`${label}: ${counts[reaction]}`}
          aria-pressed={mine === reaction}
          title={label}
          onClick={() => react(reaction)}
        >
          <Icon />
          <span class="reaction-count">{counts[reaction]}</span>
        </button>
      ))}
    </div>
  );
}
