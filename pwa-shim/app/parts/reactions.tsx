// What people feel about a drive, and the buttons to say what one feels oneself.

import type { Reaction } from "@tourismo/client";
import type { ComponentType } from "preact";

import { give, relay, social } from "../engine.ts";
import { feltNow } from "../merge.ts";
import { useTold } from "../told.ts";
import { CarIcon, HeartIcon, RoadIcon, StarIcon } from "./icons.tsx";

/** What one may feel about a drive. */
export const REACTIONS: { reaction: Reaction; label: string; icon: ComponentType }[] = [
  { reaction: "like", label: "Like", icon: HeartIcon },
  { reaction: "wow", label: "Wow", icon: StarIcon },
  { reaction: "road", label: "What a road", icon: RoadIcon },
  { reaction: "car", label: "What a car", icon: CarIcon },
];

export function Reactions({ drive }: { drive: string }) {
  const { told } = useTold(`reactions ${drive}`, () => relay.reactions(drive));
  const { counts, mine } = feltNow(drive, told, social.value);
  const say = (reaction: Reaction): void =>
    void give((tourismo) => tourismo.react(drive, mine === reaction ? null : reaction));
  return (
    <div class="reactions" role="group" aria-label="What you feel about it">
      {REACTIONS.map(({ reaction, label, icon: Icon }) => (
        <button
          key={reaction}
          type="button"
          class="reaction"
          aria-label={`${label}: ${counts[reaction]}`}
          aria-pressed={mine === reaction}
          title={label}
          onClick={() => say(reaction)}
        >
          <Icon />
          <span class="reaction-count">{counts[reaction]}</span>
        </button>
      ))}
    </div>
  );
}
